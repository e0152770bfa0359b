//! The page at `/`: what this is, how it is, and the first steps. Self-contained: it loads
//! nothing and runs nothing.

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};

/// The page's only style; its hash stands in [`POLICY`].
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;\
color:#1c2630;background:#fbfbf9}\
h1{font-size:1.7rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .4rem}\
.state{color:#4a5a68;margin:.2rem 0 0}.ok{color:#17703c}.bad{color:#a8261b}\
pre{background:#f0f0ec;border:1px solid #deded7;border-radius:6px;padding:.8rem;\
overflow-x:auto;font-size:.85rem}\
a{color:#15598c}\
@media(prefers-color-scheme:dark){body{color:#dbe2e8;background:#14181c}\
.state{color:#9aa8b4}.ok{color:#62c98a}.bad{color:#f08a80}\
pre{background:#1c2228;border-color:#2c343c}a{color:#7db8e8}}";

/// Nothing but the one style.
const POLICY: &str = "default-src 'none'; \
style-src 'sha256-qKMoLy5I8Npy80gMgfuZEeHGa3XXKVOCCfWlmtthSkQ='; \
base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers and HTML of the page.
pub(crate) fn render(
    version: &str,
    public_url: &str,
    ready: bool,
) -> ([(HeaderName, &'static str); 2], String) {
    let (version, url) = (escaped(version), escaped(public_url));
    let state = match ready {
        true => "<span class=\"ok\">ready</span>",
        false => "<span class=\"bad\">the catalog does not answer</span>",
    };
    let html = format!(
        "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Tilde</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Tilde</h1>
<p class=\"state\">version {version}, {state}</p>
<p>A self-hosted server for versioned data. The interface is described at
<a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>.</p>
<h2>A key</h2>
<p>The first start writes the key of the user <code>admin</code> to the file
<code>admin.key</code> in the data directory. On the server's machine
<code>tilde admin key create --user admin</code> makes another one.</p>
<pre>export TILDE_ENDPOINT_URL={url}
export TILDE_API_KEY=tuk-...</pre>
<h2>With curl</h2>
<pre>A=$TILDE_ENDPOINT_URL/api/v1
curl -H \"Authorization: Bearer $TILDE_API_KEY\" $A/auth/me
curl -H \"Authorization: Bearer $TILDE_API_KEY\" $A/repositories</pre>
<h2>With Python</h2>
<pre>python3 -m venv venv &amp;&amp; venv/bin/pip install tilde-sdk
venv/bin/python -c \"import tilde; print(list(tilde.organizations.list()))\"</pre>
</body>
</html>
"
    );
    ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)], html)
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, char| {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            char => html.push(char),
        }
        html
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_policy_allows_this_style_and_nothing_else() {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("style-src 'sha256-{hash}';")), "the hash is {hash}");
        assert!(!POLICY.contains("unsafe"));
    }

    #[test]
    fn what_is_filled_in_is_escaped() {
        let (_, html) = render("1", "https://a/\"><script>x</script>&'", false);
        assert!(!html.contains("<script>"));
        assert!(html.contains("=https://a/&quot;&gt;&lt;script&gt;x&lt;/script&gt;&amp;&#39;\n"));
        assert!(html.contains("does not answer"));
    }
}
