//! Redaction: the only place that decides which part of a caller's value, or of a text from a peer or
//! a dependency, may appear in a message. Secrets are masked, control characters are removed, and the
//! length is limited.
//!
//! Tokens (JWT), PEM blocks and the user part of URLs are masked. In a caller's value, the query of a
//! URL and strings that look like keys are masked, too, because the caller may have put a secret in
//! the wrong place. Callers that know a secret remove it before they call this module.

use std::borrow::Cow;

use zeroize::Zeroizing;

/// Replaces a secret.
pub const MASK: &str = "[removed]";
/// The longest caller's value in a message, in characters.
pub const VALUE: usize = 40;
/// The longest id in a log line, in characters.
const ID: usize = 64;
/// The longest file path in a message, in characters.
const PATH: usize = 256;
/// The longest text of a peer or a dependency in a message, in characters.
pub const LINE: usize = 300;

const PEM_BEGIN: &str = "-----BEGIN";
const PEM_END: &str = "-----END";
const DASHES: &str = "-----";
/// The possible starts of a JWT: the base64 of `{"`, `{ ` and `{` with a line end.
const TOKEN_BEGINNINGS: [&str; 5] = ["eyJ", "eyA", "ewo", "ew0", "ewk"];
/// A sequence of at least this many base64 characters may be a key.
const KEY: usize = 32;

/// A caller's value in quotation marks, masked and shortened.
pub fn quoted(value: &str) -> String {
    let (short, is_cut) = limited(&value_masked(value), VALUE, |c| is_control(c) && !is_escaped(c));
    let quoted = serde_json::to_string(&short).unwrap_or_default();
    format!("{quoted}{}", dots(is_cut))
}

/// A caller's id, masked and shortened. It may contain control characters.
pub fn id(value: &str) -> String {
    let (short, is_cut) = limited(&value_masked(value), ID, |_| false);
    format!("{short}{}", dots(is_cut))
}

/// Whether a part of a caller's value is masked.
pub fn is_masked(value: &str) -> bool {
    value_masked(value) != value
}

/// A file path, masked and shortened.
pub fn path(path: &str) -> String {
    // A path may contain an `@` without being a URL.
    let is_url = path.split_once('@').is_some_and(|(before, _)| before.contains(':'));
    let masked = if is_url || !path.contains('@') {
        value_masked(path)
    } else {
        keys_masked(&secrets_masked(path))
    };
    let (short, is_cut) = limited(&masked, PATH, is_control);
    format!("{short}{}", dots(is_cut))
}

/// A text of a peer or a dependency, as one line, masked and shortened to [`LINE`].
pub fn line(text: &str) -> String {
    let masked = masked(text);
    let spaced: String =
        masked.chars().map(|c| if matches!(c, '\t' | '\n' | '\r') { ' ' } else { c }).collect();
    let (short, is_cut) = limited(spaced.trim(), LINE, is_control);
    format!("{short}{}", dots(is_cut))
}

/// Whether a value contains PEM text (instead of the path of a PEM file).
pub fn is_pem(value: &str) -> bool {
    value.contains(PEM_BEGIN)
}

/// A text of a peer without these secrets. If the text may be cut off, a part of a secret at its end is
/// removed, too.
pub fn without(text: &str, secrets: &[&str], is_cut: bool) -> Zeroizing<String> {
    // A text may end like a secret begins by chance, but rarely with this many bytes.
    const PART: usize = 4;
    let mut clean = Zeroizing::new(text.to_owned());
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        if clean.contains(secret) {
            clean = Zeroizing::new(clean.replace(secret, MASK));
        }
    }
    // A character may be cut, too.
    let end = clean.trim_end_matches('\u{fffd}').len();
    let part = |secret: &&str| {
        let is_end =
            |length: &usize| secret.get(..*length).is_some_and(|part| clean[..end].ends_with(part));
        (PART..secret.len()).rev().find(is_end)
    };
    let part = if is_cut { secrets.iter().filter_map(part).max() } else { None };
    if let Some(part) = part {
        clean.truncate(end - part);
        clean.push_str(MASK);
    }
    clean
}

/// A text with masked tokens, PEM blocks and URL credentials.
pub fn masked(text: &str) -> Cow<'_, str> {
    let text = secrets_masked(text);
    let has_url = ["://", "sip:", "sips:"].iter().any(|scheme| text.contains(scheme));
    let text = if has_url { Cow::Owned(urls_masked(&text)) } else { text };
    if text.contains('@') { Cow::Owned(users_masked(&text)) } else { text }
}

/// Masks the query of each URL, and its user part if that contains characters that normally end a URL
/// in a text, because a password may contain them.
fn urls_masked(text: &str) -> String {
    const ENDS: &str = "\"<>`{}|^\\";
    let is_space = |c: char| c.is_whitespace() || c.is_control();
    let mut clean = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_space) {
        let start = piece
            .find("://")
            .map(|at| at + 3)
            .or_else(|| piece.find("sip:").map(|at| at + 4))
            .or_else(|| piece.find("sips:").map(|at| at + 5));
        let Some(start) = start else {
            clean.push_str(piece);
            continue;
        };
        let (scheme, mut rest) = piece.split_at(start);
        clean.push_str(scheme);
        if let Some(at) = rest.rfind('@').filter(|at| rest[..*at].contains(|c| ENDS.contains(c))) {
            clean.push_str(MASK);
            rest = &rest[at..];
        }
        let end = rest.find(|c: char| is_space(c) || ENDS.contains(c) || c == '\'');
        let (url, after) = rest.split_at(end.unwrap_or(rest.len()));
        match url.split_once('?').filter(|(_, query)| query.contains('=')) {
            Some((before, _)) => {
                clean.push_str(before);
                clean.push('?');
                clean.push_str(MASK);
            }
            None => clean.push_str(url),
        }
        clean.push_str(after);
    }
    clean
}

/// A text with masked tokens and PEM blocks, which no message may contain.
pub fn secrets_masked(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if is_pem(&text) {
        text = Cow::Owned(blocks_masked(&text));
    }
    if TOKEN_BEGINNINGS.iter().any(|beginning| text.contains(beginning)) {
        text = Cow::Owned(tokens_masked(&text));
    }
    text
}

/// A caller's value, which is masked more strictly than a text.
fn value_masked(value: &str) -> String {
    let mut value = secrets_masked(value);
    // A password may contain anything, even another `@`.
    if let Some(at) = value.rfind('@') {
        let scheme = scheme_length(&value[..at]);
        value = Cow::Owned(format!("{}{MASK}{}", &value[..scheme], &value[at..]));
    }
    if let Some((before, query)) = value.split_once('?') {
        if query.contains('=') {
            value = Cow::Owned(format!("{before}?{MASK}"));
        }
    }
    keys_masked(&value)
}

/// Masks the PEM blocks of a text, including blocks without line ends or without an end.
fn blocks_masked(text: &str) -> String {
    let is_body =
        |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || "+/=\\:,-".contains(c);
    // Prevents that each block is searched to the end of the text.
    let last_end = text.rfind(PEM_END);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(PEM_BEGIN) {
        clean.push_str(&rest[..at]);
        clean.push_str(MASK);
        let block = &rest[at..];
        let has_end = last_end.is_some_and(|end| end > text.len() - block.len());
        let end = has_end.then(|| block.find(PEM_END)).flatten().map(|end| end + PEM_END.len());
        let end = end.map(|end| {
            let close = block[end..].find(DASHES);
            end + close.map_or(block.len() - end, |close| close + DASHES.len())
        });
        let end = end.or_else(|| block.find(|c| !is_body(c)));
        rest = &block[end.unwrap_or(block.len())..];
    }
    clean.push_str(rest);
    clean
}

/// Masks the tokens of a text: two or more parts of base64url separated by dots, of which the first
/// starts a JSON object.
fn tokens_masked(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=');
    let part = |rest: &str| rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_part) {
        clean.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut length = part(rest);
        let begins = |at: &usize| {
            rest.get(*at..at + 3).is_some_and(|three| TOKEN_BEGINNINGS.contains(&three))
        };
        // A host name in lower case, such as newopus.example.com, is not a token.
        let has_upper = |at: &usize| rest[*at..length].bytes().any(|b| b.is_ascii_uppercase());
        if let Some(token) = (0..length).find(begins).filter(has_upper) {
            let mut parts = 1;
            let next = |length| rest[length..].strip_prefix('.').map(part).filter(|next| *next > 0);
            while let Some(next) = next(length) {
                length += 1 + next;
                parts += 1;
            }
            clean.push_str(if parts > 1 { &rest[..token] } else { &rest[..length] });
            clean.push_str(if parts > 1 { MASK } else { "" });
        } else {
            clean.push_str(&rest[..length]);
        }
        rest = &rest[length..];
    }
    clean.push_str(rest);
    clean
}

/// Masks the user part of each URL in a text. An e-mail address is not a URL.
fn users_masked(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || c.is_control() || "\"<>`{}|^\\".contains(c);
    let mut clean = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_end) {
        let Some(at) = piece.rfind('@') else {
            clean.push_str(piece);
            continue;
        };
        let scheme = scheme_length(&piece[..at]);
        let has_authority = piece[..scheme].ends_with("//");
        if has_authority || piece[scheme..at].contains(':') {
            clean.push_str(&piece[..scheme]);
            clean.push_str(MASK);
            clean.push_str(&piece[at..]);
        } else {
            clean.push_str(piece);
        }
    }
    clean
}

/// The length of the scheme at the start of a text, including its punctuation; 0 without a scheme.
fn scheme_length(text: &str) -> usize {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
    if let Some(at) = text.find("://") {
        let before = text[..at].trim_end_matches(is_scheme);
        // After a colon it may be part of a password.
        if before.len() < at && !before.contains(':') {
            return at + 3;
        }
    }
    let known = ["sip:", "sips:", "http:/", "https:/"];
    let starts = |scheme: &&str| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    known.iter().find(|scheme| starts(scheme)).map_or(0, |scheme| scheme.len())
}

/// Masks what looks like a key in base64: a long sequence with both cases and digits, which is rare in
/// paths and names.
fn keys_masked(value: &str) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    let is_key = |run: &str| {
        let has = |what: fn(&u8) -> bool| run.as_bytes().iter().any(what);
        run.len() >= KEY
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_digit)
            // A call id in upper case is not a key.
            && !run.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
            // In base64, only one of 64 characters is a slash.
            && run.matches('/').count() * 16 <= run.len()
    };
    let mut clean = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find(is_base64) {
        clean.push_str(&rest[..at]);
        rest = &rest[at..];
        let run = &rest[..rest.find(|c| !is_base64(c)).unwrap_or(rest.len())];
        clean.push_str(if is_key(run) { MASK } else { run });
        rest = &rest[run.len()..];
    }
    clean.push_str(rest);
    clean
}

/// The first characters, without those that are dropped, and whether there are more.
fn limited(text: &str, most: usize, is_dropped: impl Fn(char) -> bool) -> (String, bool) {
    let mut chars = text.chars().filter(|c| !is_dropped(*c));
    let short = chars.by_ref().take(most).collect();
    (short, chars.next().is_some())
}

fn dots(is_cut: bool) -> &'static str {
    if is_cut { "..." } else { "" }
}

/// Whether a character changes how a terminal or an editor shows the text around it, or is invisible:
/// the Unicode categories Cc, Cf, Zl and Zp (control and format characters, separators of lines and
/// paragraphs).
pub fn is_control(c: char) -> bool {
    let is_format = || {
        matches!(
            c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
                | '\u{890}' | '\u{891}' | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}'
                | '\u{e0020}'..='\u{e007f}'
        )
    };
    c.is_control() || is_format()
}

/// Whether JSON shows a control character as an escape.
fn is_escaped(c: char) -> bool {
    c < ' '
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_passwords_and_queries_are_masked() {
        for odd in ["{", "\"", "|", "<", "^", "`", "\\"] {
            for scheme in ["https://", "sip:"] {
                let text = format!("no such URL: {scheme}u:SEC{odd}RET@h/x, sorry");
                assert_eq!(masked(&text), format!("no such URL: {scheme}{MASK}@h/x, sorry"));
            }
        }
        assert_eq!(
            masked("https://h/x?key=SECRET is \"https://h/?a=b\""),
            format!("https://h/x?{MASK} is \"https://h/?{MASK}\"")
        );
        assert_eq!(masked("see https://h/what? and me@h"), "see https://h/what? and me@h");
        assert_eq!(path("/etc/kamailio@1/ca.pem"), "/etc/kamailio@1/ca.pem");
        assert!(!path("https://u:s3cret@h/ca.pem").contains("s3cret"));
    }

    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJwIjoicyJ9.c2lnbmF0dXJl-_";

    #[test]
    fn tokens_are_masked_in_any_context() {
        for (before, after) in [
            ("", ""),
            ("Bearer ", ""),
            ("The token is ", "."),
            ("(", ")."),
            ("token=", "&x=1"),
            ("\"", "\","),
            ("", "..."),
            ("x", ", or"),
        ] {
            let text = format!("{before}{TOKEN}{after}");
            assert_eq!(masked(&text), format!("{before}{MASK}{after}"));
        }
        // Cut off, unsigned, encrypted, and with a header that was not written compactly.
        for token in
            ["eyJhbGciOiJub25lIn0.eyJwIjoi", "eyJh.eyJi.", "eyJh.b.c.d.e", "ewogImEiOjF9.eyJi.c"]
        {
            assert!(!masked(token).contains(".e"), "{}", masked(token));
            assert!(masked(token).starts_with(MASK), "{}", masked(token));
        }
        for plain in
            ["eyJx.", "eyJ", "they say.so", "1.2.3", "ew0 .x", "newopus.example.com", "Xewo.x"]
        {
            assert_eq!(masked(plain), plain);
        }
    }

    #[test]
    fn pem_blocks_are_masked_with_and_without_line_ends() {
        let body = "VGhpcyBpcyBhIHByZXRlbmQga2V5";
        for (text, shown) in [
            (
                format!("a -----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\nb"),
                "a [removed]\nb",
            ),
            (format!("-----BEGIN X-----\\n{body}\\n-----END X-----"), "[removed]"),
            (format!("{{\"k\":\"-----BEGIN X-----\\n{body}\"}}"), "{\"k\":\"[removed]\"}"),
            (format!("-----BEGIN X-----{body}-----END X"), "[removed]"),
            (
                format!("-----BEGIN A-----{body}-----END A----- and -----BEGIN B-----{body}"),
                "[removed] and [removed]",
            ),
        ] {
            assert_eq!(masked(&text), shown, "{text}");
            assert!(
                is_pem(&text) && !quoted(&text).contains("VGhp") && !path(&text).contains("VGhp")
            );
        }
        // The body of a key alone, where a path is expected.
        assert_eq!(path(&body.repeat(2)), MASK);
        assert_eq!(path(&format!("{}/{body}", body.repeat(2))), MASK);
    }

    #[test]
    fn credentials_of_urls_are_masked() {
        for (text, shown) in [
            ("see https://u:p@h/x.", "see https://[removed]@h/x."),
            ("https://token@h", "https://[removed]@h"),
            ("https://u:p/x?#@h", "https://[removed]@h"),
            ("u:p://x@h", "[removed]@h"),
            (
                "url=http://u:p@h, then <sip:a:b@h>",
                "url=http://[removed]@h, then <sip:[removed]@h>",
            ),
            ("{\"u\":\"SIPS:a:b@h\"}", "{\"u\":\"SIPS:[removed]@h\"}"),
            ("call u:p@h", "call [removed]@h"),
            ("http://a:b@c:d@h", "http://[removed]@h"),
            (
                "mail joe@example.com or sip:joe@example.com",
                "mail joe@example.com or sip:joe@example.com",
            ),
            ("12:30 at h:80", "12:30 at h:80"),
        ] {
            assert_eq!(masked(text), shown);
        }
        for (value, shown) in [
            ("hookuser:s3cret@hooks.example.com/bw", "\"[removed]@hooks.example.com/bw\""),
            ("ftp://hookuser:s3cret@h/bw", "\"ftp://[removed]@h/bw\""),
            ("https:/hookuser:s3cret@h/bw", "\"https:/[removed]@h/bw\""),
            ("sip:me:s3 cret@h", "\"sip:[removed]@h\""),
            ("s3cret@h", "\"[removed]@h\""),
            ("/hook?key=s3cret", "\"/hook?[removed]\""),
            ("what?", "\"what?\""),
        ] {
            assert_eq!(quoted(value), shown);
        }
    }

    #[test]
    fn values_are_shortened_and_keep_their_escapes() {
        assert_eq!(quoted("AUDOI"), "\"AUDOI\"");
        assert_eq!(quoted("a\nb\u{1b}\u{9b}\u{202e}c"), "\"a\\nb\\u001bc\"");
        assert_eq!(quoted(&"a".repeat(40)), format!("\"{}\"", "a".repeat(40)));
        assert_eq!(quoted(&"a".repeat(41)), format!("\"{}\"...", "a".repeat(40)));
        assert_eq!(quoted(TOKEN), "\"[removed]\"");
        let call = "C-93D6F3C0-BE584596-0B74-4FA2-8015-D8EDE84BD1A4c";
        assert!(!quoted(call).contains(MASK));
        let file = "/var/lib/kubelet/pods/0e3c1b2a-1f/volumes/kubernetes.io~secret/Tls1/ca.pem";
        assert_eq!(path(file), file);
        assert_eq!(path("/a\u{1b}[31m\nb"), "/a[31mb");
        // One of each: Cc (C0, DEL, C1), Cf (bidirectional, invisible, tags), Zl, Zp.
        let spoofing = "\0\u{7f}\u{9b}\u{61c}\u{202e}\u{2066}\u{ad}\u{200b}\u{2060}\u{feff}\u{e0041}\
                        \u{2028}\u{2029}";
        assert_eq!(
            path(&format!("/a{spoofing}\u{300}\u{e9}\u{2010}\u{fe0f}")),
            "/a\u{300}\u{e9}\u{2010}\u{fe0f}"
        );
        assert_eq!(path(&"/a".repeat(200)).len(), 256 + 3);
    }

    #[test]
    fn line_has_no_line_breaks() {
        assert_eq!(line(" a\r\nb\tc\u{1b}[0m\u{7}\u{85}\u{2066}d \n"), "a  b c[0md");
        assert_eq!(line(&"é".repeat(301)), format!("{}...", "é".repeat(300)));
        assert_eq!(line(&format!("{}{TOKEN}", "x ".repeat(149))).find("eyJ"), None);
    }

    #[test]
    fn part_of_a_secret_is_removed_where_a_text_is_cut() {
        for (text, shown) in [
            ("a s3crét-word b", "a [removed] b"),
            ("a s3crét-w", "a [removed]"),
            ("a s3cr\u{fffd}", "a [removed]"),
            ("s3cr", "[removed]"),
            ("s3crét-words3crét-", "[removed][removed]"),
            ("a s3c", "a s3c"),
            ("errors", "errors"),
        ] {
            assert_eq!(*without(text, &["", "s3crét-word"], true), shown, "{text}");
        }
        assert_eq!(*without("a s3crét-w", &["s3crét-word"], false), "a s3crét-w");
    }

    #[test]
    fn redaction_takes_linear_time() {
        let began = std::time::Instant::now();
        for piece in ["@", "eyJ", "eyJ.", "-----BEGIN!", "a:@", "://", "ew0 ", "aA1/", "a.", "."] {
            let text = piece.repeat(20_000);
            let _ = (masked(&text), quoted(&text), path(&text), line(&text));
        }
        // Quadratic would be minutes.
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
