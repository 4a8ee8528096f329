//! Writes the parts of the bindings that are the same for every operation, from the table of
//! operations and `operations.toml`.
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
mod tests {
    use std::path::Path;
    use std::{env, fs};

    use crate::documentation::Documentation;
    use crate::{cpp, python, text};

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
}
