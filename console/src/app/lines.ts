// Lines to paste: curl, Python and the command line, with this server and these names in them.
// Names are quoted so that no character of one can do anything, or look like something else.

const PLAIN = /^[\w@%+=:,./-]+$/;

/** A word for a POSIX shell; one with characters that cannot be seen is spelled out for bash. */
export function shell(word: string): string {
  if (PLAIN.test(word)) return word;
  if (/^[\x20-\x7e]*$/.test(word)) return `'${word.replaceAll("'", "'\\''")}'`;
  const spelled = [...word].map((char) => {
    const code = char.codePointAt(0) ?? 0;
    if (char === "\\" || char === "'") return `\\${char}`;
    if (code >= 0x20 && code < 0x7f) return char;
    return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
  });
  return `$'${spelled.join("")}'`;
}

/** A string of Python, in ASCII. */
export function python(text: string): string {
  const spelled = [...text].map((char) => {
    const code = char.codePointAt(0) ?? 0;
    if (char === "\\" || char === '"') return `\\${char}`;
    if (code >= 0x20 && code < 0x7f) return char;
    return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
  });
  return `"${spelled.join("")}"`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}

/** A value of a query, safe between the quotes of a shell. */
function query(value: string): string {
  return encodeURIComponent(value).replaceAll("'", "%27").replaceAll("!", "%21");
}

const AUTH = '-H "Authorization: Bearer $TILDE_API_KEY"';
const JSON_BODY = '-H "Content-Type: application/json"';
type Lines = { curl: string; Python: string; CLI: string };

/** For the first visit: from nothing to a repository. */
export function firstSteps(origin: string): Lines {
  return {
    curl: [
      `export TILDE_ENDPOINT_URL=${origin}`,
      "export TILDE_API_KEY=tuk-...        # from your account",
      `curl ${AUTH} ${JSON_BODY} \\\n  -d '{"name": "my-team", "display_name": "My team"}' \\\n  $TILDE_ENDPOINT_URL/api/v1/organizations`,
      `curl ${AUTH} ${JSON_BODY} \\\n  -d '{"name": "my-data"}' \\\n  $TILDE_ENDPOINT_URL/api/v1/organizations/my-team/repositories`,
    ].join("\n"),
    Python: [
      "import tilde                          # pip install tilde-sdk",
      `tilde.configure(endpoint_url=${python(origin)}, api_key="tuk-...")`,
      'org = tilde.organizations.create("my-team", "My team")',
      'repo = org.repositories.create("my-data")',
    ].join("\n"),
    CLI: [
      `export TILDE_ENDPOINT_URL=${origin}`,
      "tilde auth login",
      "tilde organization create my-team",
      "tilde repository create my-team/my-data",
    ].join("\n"),
  };
}

export function newRepository(origin: string, org: string): Lines {
  return {
    curl: `curl ${AUTH} ${JSON_BODY} \\\n  -d '{"name": "my-data"}' \\\n  ${origin}/api/v1/organizations/${org}/repositories`,
    Python: `import tilde\norg = tilde.organizations.get(${python(org)})\nrepo = org.repositories.create("my-data")`,
    CLI: `tilde repository create ${org}/my-data`,
  };
}

/** For an empty repository: an import if a connector is attached, else an upload. */
export function fill(origin: string, org: string, repo: string, connector?: string): Lines {
  const base = `${origin}/api/v1/organizations/${org}/repositories/${repo}`;
  return {
    curl: connector
      ? `curl ${AUTH} ${JSON_BODY} \\\n  -d '{"connector_id": "${connector}", "destination_path": "imported/"}' \\\n  ${base}/import`
      : [
          `REPO=${base}`,
          `S=$(curl -sX POST ${AUTH} $REPO/sessions | jq -r .session_id)`,
          `U=$(curl -sX PUT ${AUTH} "$REPO/object?session_id=$S&path=hello.txt")`,
          'echo Hello | curl -T - "$(echo "$U" | jq -r .upload_url)"',
          `curl ${AUTH} ${JSON_BODY} -d "$(echo "$U" | jq '{upload_token}')" \\\n  "$REPO/object/finalize?session_id=$S&path=hello.txt"`,
          `curl ${AUTH} ${JSON_BODY} -d '{"message": "Say hello"}' $REPO/sessions/$S`,
        ].join("\n"),
    Python: [
      "import tilde",
      `repo = tilde.repository(${python(`${org}/${repo}`)})`,
      "with repo.session() as session:",
      '    session.objects.put("hello.txt", b"Hello")',
      '    session.commit("Say hello")',
    ].join("\n"),
    CLI: `tilde import s3://my-bucket/datasets/ ${org}/${repo}/imported/ --wait\ntilde put hello.txt ${org}/${repo}/hello.txt`,
  };
}

export function newConnector(origin: string, org: string): Lines {
  const body = `{
    "name": "production-s3", "type": "s3", "source_uri": "s3://my-bucket/datasets/",
    "config": {"access_key_id": "AKIA...", "secret_access_key": "...", "region": "us-west-2"}
  }`;
  return {
    curl: `curl ${AUTH} ${JSON_BODY} -d '${body}' \\\n  ${origin}/api/v1/organizations/${org}/connectors`,
    Python: [
      "import tilde",
      `org = tilde.organizations.get(${python(org)})`,
      "connector = org.connectors.create(",
      '    name="production-s3", type="s3", source_uri="s3://my-bucket/datasets/",',
      '    config={"access_key_id": "AKIA...", "secret_access_key": "...", "region": "us-west-2"},',
      ")",
    ].join("\n"),
    CLI: `tilde import s3://my-bucket/datasets/ ${org}/my-data/imported/ --wait   # makes the connector, too`,
  };
}

export function read(
  origin: string,
  org: string,
  repo: string,
  ref: string | undefined,
  path: string,
): Lines {
  const at = ref ? `&ref=${query(ref)}` : "";
  const commit = ref
    ? `repo.commits.get(${python(ref)})`
    : "next(iter(repo.commits.list(amount=1)))";
  return {
    curl: `curl ${AUTH} -OJ \\\n  '${origin}/api/v1/organizations/${org}/repositories/${repo}/object?path=${query(path)}${at}'`,
    Python: [
      "import tilde",
      `repo = tilde.repository(${python(`${org}/${repo}`)})`,
      `commit = ${commit}`,
      `with commit.objects.get(${python(path)}) as f:`,
      "    data = f.read()",
    ].join("\n"),
    CLI: `tilde cat ${shell(`${org}/${repo}/${path}`)}${ref ? ` --ref ${ref}` : ""}`,
  };
}

export function useKey(origin: string, token: string): Lines {
  return {
    curl: `curl -H "Authorization: Bearer ${token}" ${origin}/api/v1/auth/me`,
    Python: `import tilde\ntilde.configure(endpoint_url=${python(origin)}, api_key=${python(token)})`,
    CLI: `export TILDE_ENDPOINT_URL=${origin}\nexport TILDE_API_KEY=${token}\ntilde auth status`,
  };
}
