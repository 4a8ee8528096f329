//! The check that a document is well-formed XML.

use roxmltree::{Document, Error};

use crate::json::quote;

/// Checks that a text is a well-formed XML document in UTF-8. A document type declaration is rejected,
/// and so are all entities that only such a declaration could define.
///
/// # Errors
/// The problem and its position.
pub fn check(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    match Document::parse(text) {
        Ok(_) => check_encoding(text),
        Err(Error::DtdDetected) => Err("must not contain a document type declaration".to_owned()),
        Err(error) => {
            let position = error.pos();
            Err(format!(
                "is not well-formed XML (line {}, column {}){}",
                position.row,
                position.col,
                reason(&error)
            ))
        }
    }
}

/// The reason of the most frequent errors. (The texts of roxmltree would add 11 KB to the library.)
fn reason(error: &Error) -> String {
    match error {
        Error::UnexpectedCloseTag(start, end, _) => {
            format!(": the end tag {} does not match the start tag {}", quote(end), quote(start))
        }
        Error::UnknownEntityReference(name, _) => {
            format!(": the entity {} is unknown", quote(name))
        }
        Error::DuplicatedAttribute(name, _) => {
            format!(": the attribute {} is repeated", quote(name))
        }
        Error::UnclosedRootNode => ": an element has no end tag".to_owned(),
        _ => String::new(),
    }
}

/// The request is sent in UTF-8, so that the document must not declare another encoding.
fn check_encoding(text: &str) -> Result<(), String> {
    let declaration = text.strip_prefix("<?xml").and_then(|text| text.split_once("?>"));
    let encoding = declaration.and_then(|(declaration, _)| declaration.split_once("encoding"));
    let Some((_, encoding)) = encoding else { return Ok(()) };
    let encoding = encoding.split(['"', '\'']).nth(1).unwrap_or_default();
    match encoding.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "us-ascii" => Ok(()),
        _ => Err(format!("declares the encoding {}; use UTF-8", quote(encoding))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_documents_are_accepted() {
        for text in [
            "<Response/>",
            "<Bxml><StartRecording/></Bxml>",
            "<?xml version=\"1.0\" encoding='utf-8'?>\n<!-- x --><Response a=\"&lt;&quot;\">&amp;&#65;&#x42;<![CDATA[<]]></Response>\n",
            "<é>中</é>",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn other_documents_are_rejected() {
        for (text, problem) in [
            ("", "is empty"),
            (" ", "is empty"),
            ("text", "is not well-formed XML (line 1, column 1)"),
            ("<a>", "is not well-formed XML (line 1, column 1): an element has no end tag"),
            (
                "<a>\n</b>",
                "is not well-formed XML (line 2, column 1): the end tag \"b\" does not match the start \
                 tag \"a\"",
            ),
            ("<a></a><b/>", "is not well-formed XML"),
            ("<a b='1' b='2'/>", "is not well-formed XML"),
            ("<a b=1/>", "is not well-formed XML"),
            ("<a b='<'/>", "is not well-formed XML"),
            ("<a>&nbsp;</a>", "is not well-formed XML"),
            ("<a b='&x;'/>", "is not well-formed XML"),
            ("<a>&</a>", "is not well-formed XML"),
            ("<a>&#0;</a>", "is not well-formed XML"),
            ("<a>\u{1}</a>", "is not well-formed XML"),
            ("<1/>", "is not well-formed XML"),
            ("<a><!-- -- --></a>", "is not well-formed XML"),
            ("<!DOCTYPE a><a/>", "must not contain a document type declaration"),
            (
                "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>",
                "must not contain a document type declaration",
            ),
            (
                "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
                "declares the encoding \"ISO-8859-1\"",
            ),
        ] {
            let message = check(text).expect_err(text);
            assert!(message.starts_with(problem), "{problem}\nis not in\n{message}");
        }
        let token = "<a eyJhbGciOiJub25lIn0.s3cret.s3cret></b>";
        assert!(!check(token).unwrap_err().contains("s3cret"));
    }

    #[test]
    fn deep_and_long_documents_are_read_quickly() {
        let began = std::time::Instant::now();
        assert_eq!(check(&("<a>".repeat(9_000) + &"</a>".repeat(9_000))), Ok(()));
        assert!(check(&"<a>".repeat(20_000)).is_err());
        let attributes: String = (0..7_000).map(|n| format!(" a{n}=''")).collect();
        assert_eq!(check(&format!("<a{attributes}/>")), Ok(()));
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
