//! Parses the documentation: pages, and their code blocks, headings, links and names. `docs.rs` contains the
//! checks, and `snippets` runs the code blocks.

use std::path::{Path, PathBuf};

/// A page of the documentation.
pub struct Page {
    /// The path, relative to the root of the project.
    pub path: PathBuf,
    pub text: String,
}

/// A fenced block of code.
pub struct Block {
    /// The file and the line, such as "docs/errors.md:12".
    pub place: String,
    /// The word after the fence.
    pub language: String,
    pub code: String,
    /// The text of the comment directly above the block.
    pub note: Option<String>,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    /// Reads the page at this path, relative to the root of the project.
    pub fn read(path: &str) -> Page {
        let text = std::fs::read_to_string(root().join(path)).expect(path);
        Page { path: path.into(), text }
    }

    /// All pages in docs/, and the other Markdown files that users and contributors read.
    pub fn all() -> Vec<Page> {
        let folder = std::fs::read_dir(root().join("docs")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut paths: Vec<String> =
            names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}")).collect();
        paths.sort();
        let others = [
            "README.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "bindings/c/README.md",
            "bindings/python/README.md",
        ];
        paths.extend(others.map(str::to_owned));
        paths.iter().map(|path| Page::read(path)).collect()
    }

    /// The blocks of code, in order.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut note = None;
        let mut lines = self.text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let indent = line.len() - line.trim_start().len();
            let line = line.trim();
            if let Some(language) = line.strip_prefix("```") {
                let code = lines
                    .by_ref()
                    .map(|(_, line)| line.get(indent..).unwrap_or(""))
                    .take_while(|line| *line != "```")
                    .map(|line| format!("{line}\n"))
                    .collect();
                blocks.push(Block {
                    place: format!("{}:{}", self.path.display(), at + 1),
                    language: language.to_owned(),
                    code,
                    note: note.take(),
                });
            } else if let Some(comment) = line.strip_prefix("<!--") {
                note = comment.strip_suffix("-->").map(|comment| comment.trim().to_owned());
            } else if !line.is_empty() {
                note = None;
            }
        }
        blocks
    }

    /// The page without its blocks of code.
    pub fn prose(&self) -> String {
        let mut inside = false;
        let lines = self.text.lines().filter(|line| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        });
        lines.flat_map(|line| [line, "\n"]).collect()
    }

    /// The anchors of the headings.
    pub fn anchors(&self) -> Vec<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
    }

    /// The targets of the links and images, in Markdown or in HTML.
    pub fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let targets_after = |mark: &'static str, end: char| {
            let parts = prose.split(mark).skip(1).filter_map(move |rest| rest.split(end).next());
            parts.map(str::to_owned).collect::<Vec<_>>()
        };
        [targets_after("](", ')'), targets_after("src=\"", '"'), targets_after("srcset=\"", '"')]
            .concat()
    }

    /// The table rows whose first cell is code: that code, and the cells. A cell may contain an escaped bar.
    pub fn rows(&self) -> Vec<(String, Vec<String>)> {
        let prose = self.prose();
        let rows = prose.lines().filter_map(|line| {
            let line = line.strip_prefix('|')?.strip_suffix('|')?.replace("\\|", "\u{1}");
            let cells: Vec<String> =
                line.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect();
            let name = cells[0].strip_prefix('`')?.split('`').next()?.to_owned();
            Some((name, cells))
        });
        rows.collect()
    }
}

/// The anchor that Markdown renderers generate for a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// The identifiers in a text, in any programming language.
pub fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}
