//! The documentation: every code block runs, every link has a target, every documented name exists and
//! every existing name is documented.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use bw_webrtc::client::{BASE_URL, Config, ENDPOINTS_URL, Family, LogFormat, Roots, TOKEN_URL};
use bw_webrtc::error::Status;
use bw_webrtc::queue::Options;

use crate::support::markdown::{Page, identifiers, root};
use crate::support::snippets;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

#[test]
fn every_code_block_runs() {
    let pages = Page::all();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let worker = || {
        let mut found = Vec::new();
        while let Some(page) = pages.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            found.push(snippets::run(page));
        }
        found
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let problems: Vec<String> = results.iter().flat_map(|(_, problems)| problems.clone()).collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    let count: usize = results.iter().map(|(count, _)| count).sum();
    println!("{count} blocks were run");
    assert!(count > 40, "only {count} blocks were run");
}

#[test]
fn example_in_the_header_runs() {
    let header = read("include/bw_webrtc.h");
    let (_, program) = header.split_once("BW_CLIENT_SECRET:\n").unwrap();
    let lines = program.split("*/").next().unwrap().lines();
    let code: Vec<&str> = lines.map(|line| line.trim_start().trim_start_matches('*')).collect();
    let text = format!("<!-- prints: participant {{id}} -->\n```c\n{}\n```\n", code.join("\n"));
    let (count, problems) = snippets::run(&Page { path: "include/bw_webrtc.h".into(), text });
    assert!(count == 1 && problems.is_empty(), "{problems:?}");
}

#[test]
fn first_programs_of_the_readme_are_short() {
    let mut count = 0;
    for block in Page::read("README.md").blocks() {
        let note = block.note.unwrap_or_default();
        if note.contains("file: first.") {
            let lines = block.code.lines().filter(|line| !line.trim().is_empty()).count();
            assert!(lines < 20, "{}: {lines} lines", block.place);
            count += 1;
            assert!(note.contains("prints: participant {id}"), "{}: {note}", block.place);
        }
    }
    assert_eq!(count, 3);
}

/// Resolves a link: `docs/../README.md` becomes `README.md`.
fn resolved(from: &Path, link: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in from.parent().unwrap().join(link).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{link} leads out of the project"),
            other => path.push(other),
        }
    }
    path
}

#[test]
fn every_link_has_a_target() {
    let pages: BTreeMap<PathBuf, Page> =
        Page::all().into_iter().map(|page| (page.path.clone(), page)).collect();
    let generated = ["docs/c/", "docs/python/", "docs/rust/"];
    let mut problems = Vec::new();
    let mut count = 0;
    for page in pages.values() {
        for link in page.links() {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = match file {
                "" => page.path.clone(),
                _ => resolved(&page.path, file),
            };
            count += 1;
            // `make docs` generates and checks these.
            if generated.iter().any(|folder| path.starts_with(folder)) {
                continue;
            }
            let known = match (pages.get(&path), anchor) {
                (_, "") => root().join(&path).is_file(),
                (Some(target), anchor) => target.anchors().iter().any(|found| found == anchor),
                (None, _) => false,
            };
            if !known {
                problems.push(format!("{}: {link}", page.path.display()));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(count > 100, "only {count} links were checked");
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = Page::read("docs/SUMMARY.md");
    let linked: BTreeSet<PathBuf> =
        summary.links().iter().map(|link| Path::new("docs").join(link)).collect();
    let pages: BTreeSet<PathBuf> = Page::all()
        .into_iter()
        .map(|page| page.path)
        .filter(|path| path.starts_with("docs") && !path.ends_with("SUMMARY.md"))
        .collect();
    assert_eq!(linked, pages);
}

/// The names with the project's prefixes in the C headers, in the sandbox's header, and in the Python package.
fn declared() -> BTreeSet<String> {
    let sources = [
        "include/bw_webrtc.h",
        "include/bw_webrtc.hpp",
        "bindings/c/bw_webrtc_typed.h",
        "bindings/c/examples/bw_sandbox.h",
        "bindings/python/hatch_build.py",
        "bindings/python/src/bw_webrtc/pytest_plugin.py",
        "bindings/python/src/bw_webrtc/_library.py",
        "bindings/python/src/bw_webrtc/testing.py",
        "sandbox/src/server.rs",
        "src/client/config/layers.rs",
        "CMakeLists.txt",
    ];
    let mut names = BTreeSet::new();
    for source in sources {
        names.extend(prefixed_names(&read(source)).map(str::to_owned));
    }
    names
}

fn prefixed_names(text: &str) -> impl Iterator<Item = &str> {
    let prefixes = ["bw_", "bwt_", "BW_", "BWT_"];
    identifiers(text).filter(move |name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
}

#[test]
fn documented_names_exist_and_existing_names_are_documented() {
    let declared = declared();
    let mut named = BTreeSet::new();
    let mut problems = Vec::new();
    for page in Page::all() {
        for name in prefixed_names(&page.text) {
            // A name such as "BW_E_*" is a pattern. Names of Doxygen's files contain two underscores.
            // `BW_LIVE` is an option of the demo.
            let other = name.ends_with('_') || name.contains("__") || name == "BW_LIVE";
            if !other && !declared.contains(name) {
                problems.push(format!("{}: {name} does not exist", page.path.display()));
            }
            named.insert(name.to_owned());
        }
    }
    let header = read("include/bw_webrtc.h");
    let typed = read("bindings/c/bw_webrtc_typed.h");
    // Include guards and internal names of the headers are not public.
    let hidden = |name: &str| {
        name.ends_with('_')
            || name.ends_with("_H")
            || ["BWT_FUNCTION", "bwt_text", "bw_verb_noun"].contains(&name)
    };
    for name in prefixed_names(&header).chain(prefixed_names(&typed)).filter(|name| !hidden(name)) {
        if !named.contains(name) {
            problems.push(format!("{name} is named nowhere in docs/"));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Each function of the header: its name and its comment.
fn functions() -> Vec<(String, String)> {
    let header = read("include/bw_webrtc.h");
    let (_, body) = header.split_once("extern \"C\" {").unwrap();
    let parts = body.split("/**").skip(1).map(|part| part.split_once("*/").unwrap());
    parts
        .filter_map(|(comment, declaration)| {
            let name = prefixed_names(declaration.split('(').next()?).last()?.to_owned();
            let lines = comment.lines().map(|line| line.trim().trim_start_matches('*').trim());
            Some((name, lines.collect::<Vec<_>>().join(" ").trim().to_owned()))
        })
        .collect()
}

#[test]
fn function_table_matches_the_header() {
    let rows: BTreeMap<String, Vec<String>> =
        Page::read("docs/functions.md").rows().into_iter().collect();
    let functions = functions();
    assert!(functions.len() > 25, "{}", functions.len());
    let (cpp, package) = (read("include/bw_webrtc.hpp"), python_package());
    for (name, comment) in &functions {
        let row = rows.get(name).unwrap_or_else(|| panic!("{name} is missing in functions.md"));
        let [_, does, blocks, wrapped] = &row[..] else { panic!("{row:?}") };
        let first = comment.split_inclusive(". ").next().unwrap().trim();
        assert_eq!(does.trim_end_matches('.'), first.trim_end_matches('.'), "of {name}");
        let phrase = comment.rfind("Blocks").max(comment.rfind("Does not block"));
        let phrase = &comment[phrase.unwrap_or(0)..];
        let expected = match phrase {
            _ if phrase.starts_with("Does not block") => "no",
            _ if phrase.starts_with("Blocks up to the deadline") => "up to the deadline",
            _ if phrase.starts_with("Blocks up to `timeout_ms`") => "up to `timeout_ms`",
            _ if comment.contains("Waits for callbacks") => "for callbacks that run",
            _ => panic!("{name} does not say whether it blocks"),
        };
        assert_eq!(blocks, expected, "whether {name} blocks");
        // A name without a language applies to both languages.
        for (before, name) in wrapped.split(", ").filter_map(|part| part.split_once('`')) {
            for (language, source) in [("C++", &cpp), ("Python", &package)] {
                let meant = before.is_empty() || before.starts_with(language);
                for name in identifiers(name).filter(|name| meant && *name != "bw") {
                    let there = identifiers(source).any(|found| found == name);
                    assert!(there, "{name} does not exist in {language}");
                }
            }
        }
    }
    let known: BTreeSet<&String> = functions.iter().map(|(name, _)| name).collect();
    let header = read("include/bw_webrtc.h");
    for name in rows.keys().filter(|name| name.starts_with("bw_")) {
        let is_type =
            header.contains(&format!("struct {name} {name};")) || name.ends_with("_callback");
        let there = known.contains(name) || is_type || header.contains(&format!("int32_t {name};"));
        assert!(there, "{name} of functions.md is not in the header");
    }
}

#[test]
fn every_export_of_the_python_package_is_documented() {
    let init = read("bindings/python/src/bw_webrtc/__init__.py");
    let (_, list) = init.split_once("__all__ = [").unwrap();
    let exported: BTreeSet<&str> =
        identifiers(list).filter(|name| !name.starts_with("__")).collect();
    let pages: String = Page::all().into_iter().map(|page| page.text).collect();
    let named: BTreeSet<&str> = identifiers(&pages).collect();
    let missing: Vec<_> = exported.difference(&named).collect();
    assert!(missing.is_empty(), "named nowhere: {missing:?}");
    // The reverse: every documented error class exists in the package or in Python.
    let (package, sdks) = (python_package(), ["ApiError", "TimeoutError"]);
    for name in named.iter().filter(|name| name.len() > 5 && name.ends_with("Error")) {
        let there = sdks.contains(name) || package.contains(&format!("class {name}("));
        assert!(there, "{name} does not exist");
    }
}

#[test]
fn sandbox_options_match_its_help() {
    let output = std::process::Command::new(crate::support::process::sandbox_binary())
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let options = help.lines().filter_map(|line| {
        let line = line.trim().trim_start_matches("-h, ").trim_start_matches("-V, ");
        line.starts_with("--").then(|| line.split([' ', ',']).next().unwrap().to_owned())
    });
    let rows = Page::read("docs/testing.md").rows();
    let documented: BTreeSet<String> =
        rows.iter().map(|(name, _)| name.clone()).filter(|name| name.starts_with("--")).collect();
    assert_eq!(documented, options.collect());
    for (name, cells) in rows.iter().filter(|(name, _)| name.starts_with("--")) {
        let default = cells[2].trim_matches('`');
        let shown = help.split(&format!("{name} ")).nth(1).unwrap_or_default();
        let shown = shown.split("      --").next().unwrap();
        let expected = format!("[default: {default}]");
        assert_eq!(shown.contains(&expected), !default.is_empty(), "{name}: {shown}");
    }
    // The kinds of faults: the sandbox rejects an unknown kind.
    let sandbox = crate::support::process::Sandbox::start(&[]);
    let kinds: Vec<_> =
        rows.iter().map(|(name, _)| name).filter(|name| !name.starts_with("--")).collect();
    for kind in &kinds {
        let order = format!(
            r#"{{"operation": "*", "kind": "{kind}", "status": 503, "ms": 1, "bytesPerSecond": 9}}"#
        );
        assert_eq!(sandbox.control("POST", "/_sandbox/faults", &order).0, 204, "{kind}");
        assert!(help.contains(kind.as_str()), "{kind} is not in the help");
    }
    assert_eq!(
        kinds.len(),
        read("sandbox/src/faults.rs").split_once("enum Kind {").map_or(0, |rest| {
            rest.1.split('}').next().unwrap_or_default().matches(',').count()
        })
    );
}

fn python_package() -> String {
    ["__init__", "client", "async_client", "errors", "helpers", "models", "_config", "_version"]
        .map(|module| read(&format!("bindings/python/src/bw_webrtc/{module}.py")))
        .concat()
}

#[test]
fn every_status_is_documented() {
    let page = Page::read("docs/errors.md");
    let rows: Vec<_> =
        page.rows().into_iter().filter(|(name, _)| name.starts_with("BW_")).collect();
    let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    let statuses: Vec<&str> = Status::ALL.iter().map(|status| status.name()).collect();
    assert_eq!(names, statuses, "one row each, in the order of the values");
    let errors = read("bindings/python/src/bw_webrtc/errors.py");
    for ((name, cells), status) in rows.iter().zip(Status::ALL) {
        let [_, number, cause, outcome, remedy, exception] = &cells[..] else {
            panic!("{cells:?}")
        };
        assert_eq!(number, &status.code().to_string(), "{name}");
        if *status == Status::Ok {
            continue;
        }
        for cell in [cause, outcome, remedy] {
            assert!(!cell.is_empty(), "{name} lacks a cell");
        }
        let class = exception.trim_matches('`');
        let (_, body) = errors.split_once(&format!("class {class}(")).expect(class);
        let number = body.split("STATUS = ").nth(1).unwrap().split('\n').next().unwrap();
        assert_eq!(number, status.code().to_string(), "{class}");
    }
}

/// The configuration keys and the options of the Python package, as pairs.
fn options() -> Vec<(String, String)> {
    let source = read("bindings/python/src/bw_webrtc/_config.py");
    let rows = source.lines().filter_map(|line| line.trim().strip_prefix("Option(\""));
    rows.map(|row| {
        let mut texts = row.split('"');
        let option = texts.next().unwrap().to_owned();
        (option, texts.nth(1).unwrap().to_owned())
    })
    .collect()
}

/// The default of a key in the form of the documentation.
fn default_of(key: &str) -> String {
    let config = Config::default();
    let number = |value: u64| value.to_string();
    match key {
        "accountId" => "required".to_owned(),
        "clientId" | "clientSecret" | "username" | "password" => "one pair".to_owned(),
        "baseUrl" if config.base_url.is_none() => format!("`{BASE_URL}`"),
        "endpointsUrl" if config.endpoints_url.is_none() => format!("`{ENDPOINTS_URL}`"),
        "tokenUrl" if config.token_url.is_none() => format!("`{TOKEN_URL}`"),
        "timeoutMs" => number(config.timeout_ms),
        "attemptTimeoutMs" => config.attempt_timeout_ms.map_or("none".into(), number),
        "connectTimeoutMs" => number(config.connect_timeout_ms),
        "maxRetries" => number(config.max_retries),
        "retryBaseMs" => number(config.retry_base_ms),
        "retryMaxMs" => number(config.retry_max_ms),
        "maxRetryAfterMs" => number(config.max_retry_after_ms),
        "environment" => config.environment.to_string(),
        "configFile" if config.config_file.is_none() => "none".to_owned(),
        "proxy" => config.proxy.map_or("none".into(), |_| "some".into()),
        "roots" if config.roots == Roots::Bundled => "`bundled`".to_owned(),
        "caFile" if config.tls_files.ca.is_none() => "none".to_owned(),
        "clientCertFile" if config.tls_files.client_cert.is_none() => "none".to_owned(),
        "clientKeyFile" if config.tls_files.client_key.is_none() => "none".to_owned(),
        "ipFamily" if config.ip_family == Family::Any => "`any`".to_owned(),
        "bindAddress" if config.bind_address.is_none() => "none".to_owned(),
        "dnsTtlMs" => number(config.dns_ttl_ms),
        "maxIdleConnections" => number(config.max_idle_connections),
        "idleTimeoutMs" => number(config.idle_timeout_ms),
        "maxResponseBytes" => number(config.max_response_bytes),
        "userAgent" if config.user_agent.is_none() => "none".to_owned(),
        "allowInsecureHttp" => config.allow_insecure_http.to_string(),
        "logFormat" if config.log_format == LogFormat::Text => "`text`".to_owned(),
        _ => panic!("{key} has a default that this test does not know"),
    }
}

/// The range in the error message for a value that is out of range.
fn range_of(message: &str) -> Option<String> {
    let (_, range) = message.split_once("whole number from ")?;
    let (least, most) = range.split_once(" to ")?;
    let most: String = most.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("{least} to {most}"))
}

#[test]
fn every_configuration_key_is_documented() {
    let page = Page::read("docs/configuration.md");
    let rows: BTreeMap<String, Vec<String>> = page.rows().into_iter().collect();
    let options = options();
    assert!(options.len() > 20);
    let keys: BTreeSet<&str> = Config::keys().collect();
    assert_eq!(keys, options.iter().map(|(_, key)| key.as_str()).collect());
    let mut known: BTreeSet<&str> = ["workers", "backlog"].into();
    for (option, key) in &options {
        known.insert(key);
        let row = rows.get(key).unwrap_or_else(|| panic!("{key} is missing in configuration.md"));
        let [_, meaning, default, range, in_python] = &row[..] else { panic!("{row:?}") };
        assert!(!meaning.is_empty(), "{key}");
        assert_eq!(default, &default_of(key), "the default of {key}");
        assert!(in_python.starts_with(&format!("`{option}`")), "{key} in Python: {in_python}");
        let refused = Config::from_json(&format!("{{\"{key}\": -1}}")).err().unwrap().message;
        assert_eq!(range_of(&refused).as_ref().unwrap_or(range), range, "the range of {key}");
    }
    let defaults = Options::default();
    for (key, default) in [("workers", defaults.workers), ("backlog", defaults.backlog)] {
        let row = rows.get(key).unwrap_or_else(|| panic!("{key} is missing in configuration.md"));
        let refused = Options::from_json(&format!("{{\"{key}\": 0}}")).unwrap_err().message;
        assert_eq!(row[2..4], [default.to_string(), range_of(&refused).unwrap()], "{key}");
    }
    for key in rows.keys().filter(|key| !key.starts_with("BW_")) {
        assert!(known.contains(key.as_str()), "{key} is no option");
    }
}

#[test]
fn operation_table_is_complete_and_links_to_tests() {
    let page = Page::read("docs/functions.md").text;
    let rows: Vec<&str> = page.lines().filter(|line| line.contains("](../tests/c/")).collect();
    for operation in bw_webrtc::api::OPERATIONS {
        let known = rows.iter().any(|row| row.starts_with(&format!("| `{}`", operation.name)));
        assert!(known, "{} is missing", operation.name);
    }
    for row in rows {
        let cells: Vec<(&str, &str)> = row
            .split("[`")
            .skip(1)
            .map(|cell| cell.split_once("`](").unwrap())
            .map(|(name, rest)| (name, rest.split(')').next().unwrap()))
            .collect();
        assert_eq!(cells.len(), 3, "{row}");
        for (name, file) in cells {
            let test = read(file.trim_start_matches("../"));
            // The C test creates its participants with the typed layer, which calls the function.
            let called = [format!("{name}("), name.replacen("bw_", "bwt_", 1) + "("];
            assert!(called.iter().any(|call| test.contains(call)), "{file} does not call {name}");
        }
    }
}
