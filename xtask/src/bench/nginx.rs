//! The default source of the benchmark: nginx, serving the files and listings rendered beforehand.
//! It costs a fraction of what its clients do, so that the clients are what is measured. Listings
//! that begin in the middle it passes on to the built-in source. It checks no signatures.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::content::Files;
use super::data::Prepared;
use super::listing::{pages, token};
use super::measure::{children, terminate};
use super::source::serve;
use crate::process::{command, find, output};
use crate::provision;
use crate::workspace::target;

const CONFIG: &str = r#"
daemon off;
USER
worker_processes 2;
worker_rlimit_nofile 65536;
pid DIR/nginx.pid;
error_log DIR/error.log;
events { worker_connections 4096; }
http {
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 1000000;
    client_body_temp_path DIR/tmp;
    proxy_temp_path DIR/tmp;
    fastcgi_temp_path DIR/tmp;
    uwsgi_temp_path DIR/tmp;
    scgi_temp_path DIR/tmp;
    log_not_found off;
    map $args $page {
        default p0;
        "~(^|&)prefix=[^&]" none;
        "~continuation-token=(?<token>p[0-9]+)" $token;
        "~(^|&)start-after=[^&]" none;
    }
    server {
        listen 127.0.0.1:PORT backlog=1024;
        root DIR/data;
        location ~ ^/(?<bucket>[a-z0-9-]+)/?$ {
            default_type application/xml;
            if ($args ~ "(^|&)location") {
                return 200 '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>';
            }
            rewrite ^ /_list/$bucket/$page.xml last;
        }
        location /_list/ {
            internal;
            default_type application/xml;
            alias DIR/list/;
            error_page 404 = @built_in;
        }
        location @built_in { proxy_pass BUILT_IN$request_uri; }
    }
}
"#;

/// A running nginx; stopped when dropped.
pub(super) struct Nginx {
    process: Child,
    pub(super) url: String,
}

impl Nginx {
    /// Serves the data sets, each as a bucket.
    pub(super) fn start(sets: &[Prepared], may_install: bool) -> Result<Self> {
        let program = program(may_install)?;
        let folder = target().join("bench");
        fs::create_dir_all(folder.join("tmp"))?;
        sets.iter().try_for_each(|set| render(&folder, set)).context("cannot render listings")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let user = output(&mut command("id", &["-u"]))?;
        let user = if user.trim() == "0" { "user root;" } else { "" };
        let config = CONFIG.replace("USER", user).replace("PORT", &port.to_string());
        let config = config.replace("DIR", &folder.to_string_lossy());
        let config = config.replace("BUILT_IN", &serve(Files::new(sets))?);
        let file = folder.join("nginx.conf");
        fs::write(&file, config)?;
        let mut nginx = command(program, &["-c", &file.to_string_lossy()]);
        let process = nginx.stderr(Stdio::null()).spawn().context("cannot start nginx")?;
        let nginx = Self { process, url: format!("http://127.0.0.1:{port}") };
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(nginx);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("nginx does not listen; see target/bench/error.log")
    }

    /// The processes that answer.
    pub(super) fn workers(&self) -> Result<Vec<u32>> {
        children(self.process.id())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        terminate(&mut self.process);
    }
}

fn program(may_install: bool) -> Result<std::path::PathBuf> {
    if let Some(nginx) = find("nginx") {
        return Ok(nginx);
    }
    if may_install && let Err(reason) = provision::install(&["nginx-light"], "the source") {
        bail!("nginx is missing: {reason}");
    }
    find("nginx").context(
        "nginx is missing; --provision installs the Debian package nginx-light, and --etags md5 \
         does without it",
    )
}

/// The pages of a bucket, as files `TOKEN.xml`.
fn render(folder: &Path, set: &Prepared) -> Result<()> {
    let folder = folder.join("list").join(&set.bucket);
    fs::create_dir_all(&folder)?;
    for (start, page) in pages(&set.bucket, &set.objects) {
        fs::write(folder.join(format!("{}.xml", token(start))), page)?;
    }
    Ok(())
}
