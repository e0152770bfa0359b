//! The end-to-end steps of `cargo xtask test`: a Python environment with pinned packages, the real
//! S3 server where there may be one, and pytest against the binary that was just built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process::{command, ends_within, find, succeeds, succeeds_silently, watch};
use crate::provision;
use crate::report::{Counts, Outcome, Report};
use crate::soak;
use crate::test::{gap, outcome};
use crate::workspace::{root, target};

/// What the real S3 server (Ceph radosgw with its monitor and store) comes in.
const RADOSGW: [&str; 4] = ["ceph-mon", "ceph-osd", "radosgw", "ceph-common"];
/// Its programs, as the fixture calls them.
const RADOSGW_PROGRAMS: [&str; 4] = ["ceph-mon", "ceph-osd", "radosgw", "radosgw-admin"];
/// The browser that the console is driven in.
const CHROMIUM: [&str; 1] = ["chromium"];
/// Where the console's tests are.
const BROWSER_TESTS: &str = "tests/e2e/browser";
/// What makes virtual environments on Debian.
const VENV: [&str; 2] = ["python3", "python3-venv"];

/// Adds the steps.
pub(crate) fn steps(report: &mut Report, arguments: &[String]) {
    let may_install = provision::may_install(arguments);
    let mut python = None;
    report.step("Python environment", |_| {
        let (made, outcome) = environment(may_install)?;
        python = made;
        Ok(outcome)
    });
    report.step("real S3 server", |_| Ok(real_s3_server(may_install)));
    let ignored = format!("--ignore={BROWSER_TESTS}");
    report.step("end-to-end tests", |counts| match &python {
        Some(python) => run_pytest(python, &["tests/e2e", &ignored], counts),
        None => Ok(gap("without a Python environment".to_owned())),
    });
    report.step("console in a browser", |counts| match (&python, chromium(may_install)) {
        (Some(python), Ok(())) => run_pytest(python, &[BROWSER_TESTS], counts),
        (None, _) => Ok(gap("without a Python environment".to_owned())),
        (_, Err(reason)) => Ok(Outcome::LeftOut(reason)),
    });
}

/// Adds the power cuts of a soak. They end by themselves at the limit, with a whole round.
pub(crate) fn power_cuts(report: &mut Report, rounds: u32, limit: Duration) {
    report.step(&format!("power cuts, {rounds} rounds"), |_| {
        let tests = ["-m", "pytest", "-ra", "-m", "", "tests/e2e/test_power.py"];
        soaked(&tests, limit * 2, |pytest| {
            let seconds = limit.as_secs() / 2;
            pytest.env("POWER_CUTS", rounds.to_string());
            pytest.env("POWER_CUTS_SECONDS", seconds.to_string());
        })
    });
}

/// Adds the long end-to-end tests.
pub(crate) fn long_tests(report: &mut Report, limit: Duration) {
    report.step("long end-to-end tests", |_| {
        let power = "--ignore=tests/e2e/test_power.py";
        soaked(&["-m", "pytest", "-ra", "-m", "long", power, "tests/e2e"], limit, |_| {})
    });
}

fn soaked(tests: &[&str], limit: Duration, set: impl FnOnce(&mut Command)) -> Result<Outcome> {
    let (python, made) = environment(false)?;
    let Some(python) = python else { return Ok(made) };
    let mut pytest = command(python, tests);
    set(&mut pytest);
    Ok(soak::outcome(ends_within(&pytest, limit)?))
}

fn run_pytest(python: &Path, tests: &[&str], counts: &mut Counts) -> Result<Outcome> {
    let binary = target().join("debug").join("tilde");
    if !binary.is_file() {
        return Ok(Outcome::Failed("target/debug/tilde was not built".to_owned()));
    }
    let mut pytest = command(python, &["-m", "pytest", "-ra"]);
    pytest.args(tests);
    pytest.env("TILDE_BINARY", &binary).env("PYTHONUNBUFFERED", "1");
    let mut ours = Counts::default();
    let passed = watch(&mut pytest, |line| {
        if line.ends_with('=') && line.contains(" in ") {
            ours.add(line);
        }
    })?;
    Ok(outcome(counts, ours, passed))
}

fn chromium(may_install: bool) -> Result<(), String> {
    match (find(CHROMIUM[0]), may_install) {
        (Some(_), _) => Ok(()),
        (None, true) => provision::install(&CHROMIUM, "the tests of the console"),
        (None, false) => Err("it needs Debian's chromium; --provision installs it".to_owned()),
    }
}

fn real_s3_server(may_install: bool) -> Outcome {
    if RADOSGW_PROGRAMS.iter().all(|program| find(program).is_some()) {
        return Outcome::Passed("radosgw is installed".to_owned());
    }
    if !may_install {
        let packages = RADOSGW.join(" ");
        let how = format!("it needs Debian packages ({packages}); --provision installs them");
        return Outcome::LeftOut(how);
    }
    match provision::install(&RADOSGW, "the real S3 server") {
        Ok(()) => Outcome::Passed("radosgw was installed".to_owned()),
        Err(reason) => Outcome::LeftOut(reason),
    }
}

/// The Python of the environment, made and filled where that has not been done; and how.
fn environment(may_install: bool) -> Result<(Option<PathBuf>, Outcome)> {
    let requirements = root().join("tests/e2e/requirements.txt");
    match venv("e2e", &requirements, may_install)? {
        Ok((python, how)) => Ok((Some(python), Outcome::Passed(how))),
        Err(reason) => Ok((None, gap(reason))),
    }
}

/// A virtual environment `target/NAME` with the packages of `requirements`: its Python and how it
/// was made, or why there can be none. One that has them already is used as it is.
pub(crate) fn venv(
    name: &str,
    requirements: &Path,
    may_install: bool,
) -> Result<Result<(PathBuf, String), String>> {
    let folder = target().join(name).join("venv");
    let python = folder.join("bin").join("python");
    let stamp = folder.join("installed.txt");
    let wanted = fs::read_to_string(requirements).context("cannot read the requirements")?;
    let works = succeeds_silently(&mut command(&python, &["-c", "import sys"]));
    if works && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(Ok((python, format!("{name}/venv has the pinned packages"))));
    }
    let how = match make_venv(&folder, may_install) {
        Ok(how) => how,
        Err(reason) => return Ok(Err(reason)),
    };
    println!("made the environment with {}", how.text());
    let mut install = how.pip(&python);
    install.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(requirements);
    if !succeeds(&mut install)? {
        return Ok(Err("pip could not install the pinned packages, see above".to_owned()));
    }
    fs::write(&stamp, wanted).context("cannot write into the environment")?;
    Ok(Ok((python, format!("made with {}", how.text()))))
}

/// The ways to a virtual environment. Debian ships Python without ensurepip, so the first may not
/// work.
#[derive(Clone, Copy)]
enum Way {
    Venv,
    VirtualenvModule,
    VirtualenvProgram,
    OutsidePip,
}

impl Way {
    const ALL: [Self; 4] =
        [Self::Venv, Self::VirtualenvModule, Self::VirtualenvProgram, Self::OutsidePip];

    fn text(self) -> &'static str {
        match self {
            Self::Venv => "python3 -m venv",
            Self::VirtualenvModule => "python3 -m virtualenv",
            Self::VirtualenvProgram => "virtualenv",
            Self::OutsidePip => "python3 -m venv --without-pip and a pip from outside",
        }
    }

    fn make(self, folder: &str) -> bool {
        let mut make = match self {
            Self::Venv => command("python3", &["-m", "venv", "--clear", folder]),
            Self::VirtualenvModule => {
                command("python3", &["-m", "virtualenv", "--clear", "--quiet", folder])
            }
            Self::VirtualenvProgram => command("virtualenv", &["--clear", "--quiet", folder]),
            Self::OutsidePip => {
                command("python3", &["-m", "venv", "--clear", "--without-pip", folder])
            }
        };
        let pip = match self {
            Self::OutsidePip => &["-m", "pip", "--version"][..],
            _ => &["-c", "import sys"][..],
        };
        succeeds_silently(&mut command("python3", pip)) && succeeds_silently(&mut make)
    }

    /// The pip that fills it.
    fn pip(self, python: &Path) -> Command {
        match self {
            Self::OutsidePip => {
                let mut pip = command("python3", &["-m", "pip", "--python"]);
                pip.arg(python);
                pip
            }
            _ => command(python, &["-m", "pip"]),
        }
    }
}

fn make_venv(folder: &Path, may_install: bool) -> Result<Way, String> {
    let path = folder.to_str().ok_or("the target folder's path is not UTF-8")?;
    let first = |ways: [Way; 4]| ways.into_iter().find(|way| way.make(path));
    if let Some(way) = first(Way::ALL) {
        return Ok(way);
    }
    let hint = "python3 cannot make a virtual environment (on Debian: python3-venv)";
    if !may_install {
        return Err(hint.to_owned());
    }
    provision::install(&VENV, "the Python environment")?;
    first(Way::ALL).ok_or(hint.to_owned())
}
