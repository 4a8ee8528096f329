//! Writes the parts of the bindings that are the same for every operation, from the table of
//! operations and `operations.toml`.
//!
//! The typed C header is written by hand, and compared with the table.
//!
//! The files are checked in. `cargo test --package bw-codegen` compares them; `make generated` runs
//! the same test with `BW_GENERATE=1`, which writes them instead.

#[cfg(test)]
mod cpp;
#[cfg(test)]
mod documentation;
#[cfg(test)]
mod python;
#[cfg(test)]
mod text;
#[cfg(test)]
mod typed_c;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::{env, fs};

    use crate::documentation::Documentation;
    use crate::{cpp, python, text, typed_c};

    #[test]
    fn generated_files_are_up_to_date() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        let operations = Documentation::read(&read("codegen/operations.toml")).operations();
        let within = |path: &str, part: String| text::replace_generated(path, &read(path), &part);

        let (client, async_client) = (python::SYNC.path, python::ASYNC.path);
        let files = [
            (python::REQUESTS, python::requests(&operations)),
            (client, within(client, python::methods(&python::SYNC, &operations))),
            (async_client, within(async_client, python::methods(&python::ASYNC, &operations))),
            (cpp::HEADER, within(cpp::HEADER, cpp::methods(&operations))),
        ];
        let outdated: Vec<_> = files
            .iter()
            .filter(|(path, text)| fs::read_to_string(root.join(path)).ok().as_ref() != Some(text))
            .collect();
        if env::var_os("BW_GENERATE").is_some() {
            for (path, text) in outdated {
                fs::write(root.join(path), text).unwrap();
            }
        } else {
            let paths: Vec<_> = outdated.iter().map(|(path, _)| path).collect();
            assert!(paths.is_empty(), "run `make generated`; these files are outdated: {paths:?}");
        }
    }

    #[test]
    fn typed_c_header_covers_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        let operations = Documentation::read(&read("codegen/operations.toml")).operations();
        let missing =
            typed_c::missing(&read(typed_c::HEADER), &read(typed_c::LIBRARY), &operations);
        assert!(missing.is_empty(), "{} lacks: {missing:?}", typed_c::HEADER);
        // The check finds a function, a parameter and a key that are missing.
        let without = read(typed_c::HEADER)
            .replace("bwt_get_session(", "bwt_read_session(")
            .replace("bwt_uui(", "bwt_other(")
            .replace("\"eventFallbackUrl\"", "\"fallback\"")
            .replace("\"logFormat\"", "\"format\"");
        let missing = typed_c::missing(&without, &read(typed_c::LIBRARY), &operations);
        let expected =
            ["bwt_get_session", "bwt_get_session(client, const char *session_id)", "bwt_uui"];
        let expected = expected.into_iter().chain(["eventFallbackUrl", "logFormat"]);
        assert_eq!(missing, expected.map(str::to_owned).collect());
    }
}
