//! The check that a document is well-formed XML.

use roxmltree::{Document, Error};

use crate::error::NO_MEMORY;
use crate::json::quote;
use crate::memory;

/// The most namespace declarations in a document. The parser copies the namespaces of an element for
/// each of its children that declares another one.
const MAX_NAMESPACES: usize = 64;
/// The most attributes in a tag. The parser compares each pair of them.
const MAX_ATTRIBUTES: usize = 256;

/// Checks that a text is a well-formed XML document in UTF-8. A document type declaration is rejected,
/// and so are all entities that only such a declaration could define.
///
/// # Errors
/// The problem and its position.
pub fn check(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if text.starts_with('\u{feff}') {
        return Err("begins with two byte order marks (U+FEFF); at most one is allowed".to_owned());
    }
    check_size(text)?;
    check_declaration(text)?;
    match Document::parse(text) {
        Ok(document) => check_document(text, &document),
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

/// Rejects a document that the parser could not read in linear time, or for which it has no memory.
fn check_size(text: &str) -> Result<(), String> {
    // The parser reserves a node for each `<` and an attribute for each `=`, which are smaller.
    const NODE: usize = 96;
    const USUAL: usize = 32 * 1024;
    if text.matches("xmlns").count() > MAX_NAMESPACES {
        return Err(format!("contains more than {MAX_NAMESPACES} namespace declarations (xmlns)"));
    }
    // A tag ends before the next `<`. `<!` and `<?` begin no tag.
    let mut tags = text.split('<').filter(|tag| !tag.starts_with(['!', '?']));
    if tags.any(has_many_attributes) {
        return Err(format!("contains a tag with more than {MAX_ATTRIBUTES} attributes"));
    }
    let needed = text.bytes().filter(|b| matches!(b, b'<' | b'=')).count() * NODE;
    if needed > USUAL {
        memory::require(needed).map_err(|_| NO_MEMORY)?;
    }
    Ok(())
}

/// Whether a tag without its `<` has too many attributes.
fn has_many_attributes(tag: &str) -> bool {
    let (mut quote, mut count) = (None, 0);
    for byte in tag.bytes() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None, b'=') => count += 1,
            (None, b'>') => break,
            _ => {}
        }
    }
    count > MAX_ATTRIBUTES
}

/// Checks what the parser ignores.
fn check_document(text: &str, document: &Document<'_>) -> Result<(), String> {
    // The parser takes a declaration without a space after `<?xml` for an instruction.
    let is_instruction = has_declaration(text) && !text.starts_with("<?xml ");
    let is_reserved = |name: &str| name.eq_ignore_ascii_case("xml");
    let instructions = document.descendants().filter_map(|node| node.pi());
    if instructions.skip(usize::from(is_instruction)).any(|pi| is_reserved(pi.target)) {
        return Err(
            "is not well-formed XML: the XML declaration is invalid or misplaced".to_owned()
        );
    }
    // A comment and a CDATA section could contain such a reference, but there is no reason for one.
    if text.split("&#").skip(1).any(is_invalid_reference) {
        return Err("is not well-formed XML: a character reference is invalid".to_owned());
    }
    let mut namespaces = document.descendants().flat_map(|node| node.namespaces());
    if namespaces.any(|namespace| namespace.name().is_some() && namespace.uri().is_empty()) {
        return Err("is not well-formed XML: a namespace has an empty name".to_owned());
    }
    Ok(())
}

/// Whether a reference, after its `&#`, is to no Unicode character.
fn is_invalid_reference(reference: &str) -> bool {
    let (digits, radix) = match reference.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (reference, 10),
    };
    let number =
        digits.split(';').next().and_then(|digits| u32::from_str_radix(digits, radix).ok());
    number.is_some_and(|number| char::from_u32(number).is_none())
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

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Whether a text begins with an XML declaration, and not with an instruction such as
/// `<?xml-stylesheet ..?>`.
fn has_declaration(text: &str) -> bool {
    text.strip_prefix("<?xml").is_some_and(|rest| rest.starts_with(SPACE))
}

/// Checks the XML declaration. The request is sent in UTF-8, so that it must not declare another
/// encoding.
fn check_declaration(text: &str) -> Result<(), String> {
    if !has_declaration(text) {
        return Ok(());
    }
    let mut rest = text["<?xml".len()..].split("?>").next().unwrap_or_default();
    let version = declared(&mut rest, "version");
    let encoding = declared(&mut rest, "encoding");
    let standalone = declared(&mut rest, "standalone");
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_valid = version.and_then(|version| version.strip_prefix("1.")).is_some_and(is_digits)
        && matches!(standalone, None | Some("yes" | "no"))
        && rest.trim_matches(SPACE).is_empty();
    if !is_valid {
        return Err("is not well-formed XML: the XML declaration is invalid".to_owned());
    }
    match encoding.map(str::to_ascii_lowercase).as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(()),
        _ => {
            let encoding = quote(encoding.unwrap_or_default());
            Err(format!("declares the encoding {encoding}; use UTF-8"))
        }
    }
}

/// Reads the next item of an XML declaration if it has this name.
fn declared<'a>(rest: &mut &'a str, name: &str) -> Option<&'a str> {
    let item = rest.strip_prefix(SPACE)?.trim_start_matches(SPACE).strip_prefix(name)?;
    let value = item.trim_start_matches(SPACE).strip_prefix('=')?.trim_start_matches(SPACE);
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, after) = value[1..].split_once(quote)?;
    *rest = after;
    Some(value)
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
            "<?xml\tversion = '1.1'\nencoding=\"us-ascii\" standalone='no' ?><a/>",
            "<?xml-stylesheet href='a' encoding='latin1'?><Response/>",
            "<a xmlns='' xmlns:b='u' b:c='='>&#xFFFD;&#x10FFFF;&#55295;</a>",
            "<!-- <?xml version='1.0'?> --><a><![CDATA[<?XML?>]]></a>",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn other_documents_are_rejected() {
        const DECLARATION: &str = "is not well-formed XML: the XML declaration is invalid";
        const REFERENCE: &str = "is not well-formed XML: a character reference is invalid";
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
            ("<?xml\tversion='1.0' encoding=''?><a/>", "declares the encoding \"\""),
            ("<?xml version='encoding\"utf-8\"' encoding='latin1'?><a/>", DECLARATION),
            ("<?xml version='9.9'?><a/>", DECLARATION),
            ("<?xml version='1.'?><a/>", DECLARATION),
            ("<?xml encoding='utf-8'?><a/>", DECLARATION),
            ("<?xml version='1.0' standalone='maybe'?><a/>", DECLARATION),
            ("<?xml version='1.0' encoding='utf-8' encoding='latin1'?><a/>", DECLARATION),
            ("<?xml version='1.0'encoding='utf-8'?><a/>", DECLARATION),
            ("<?xml?><a/>", DECLARATION),
            ("<?xml ?><a/>", DECLARATION),
            ("<?XML version='1.0'?><a/>", DECLARATION),
            ("<?xml\nversion='1.0'?><a><?xMl x?></a>", DECLARATION),
            ("<a>&#xD800;</a>", REFERENCE),
            ("<a b='&#57343;'/>", REFERENCE),
            ("<a>&#x110000;</a>", REFERENCE),
            ("<a xmlns:b=''/>", "is not well-formed XML: a namespace has an empty name"),
            ("\u{feff}<a/>", "begins with two byte order marks"),
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
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }

    /// In the parser's cubic or quadratic time, the first two would take minutes.
    #[test]
    fn namespaces_and_attributes_are_limited() {
        const SIZE: usize = 64 * 1024;
        let began = std::time::Instant::now();
        let declarations =
            |count: usize| -> String { (0..count).map(|n| format!(" xmlns:n{n}='u'")).collect() };
        let nested = |count: usize| -> String {
            let tags: String = (0..count).map(|n| format!("<a xmlns:n{n}='u'>")).collect();
            tags + &"</a>".repeat(count)
        };
        let siblings = format!("<a{}>{}</a>", declarations(2000), "<b xmlns:x='u'/>".repeat(2000));
        for document in [&nested(2500), &siblings] {
            assert!((SIZE - 10_000..SIZE + 500).contains(&document.len()), "{}", document.len());
            let message = check(document).unwrap_err();
            assert_eq!(message, "contains more than 64 namespace declarations (xmlns)");
        }
        let attributes =
            |count: usize| -> String { (0..count).map(|n| format!(" a{n}=''")).collect() };
        for document in [
            format!("<a{}/>", attributes(8000)),
            format!("<a{}/>", attributes(257)),
            format!("<r><a x='>\"' y=\"'>\"{}/></r>", attributes(255)),
        ] {
            let message = check(&document).unwrap_err();
            assert_eq!(message, "contains a tag with more than 256 attributes");
        }
        let equals = "=".repeat(SIZE - 100);
        let element = format!("<a{}/>", attributes(256));
        for document in [
            &nested(64),
            &format!("<a{}>{}</a>", declarations(64), "<n63:b/>".repeat(8000)),
            &format!("<r>{}</r>", element.repeat(30)),
            &format!("<a b='{equals}'/>"),
            &format!("<a>{equals}</a>"),
            &format!("<a><!--{equals}--></a>"),
        ] {
            assert!(document.len() <= SIZE + 500, "{}", document.len());
            assert_eq!(check(document), Ok(()));
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
