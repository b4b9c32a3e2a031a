//! What a terminal shows, as the documents have it: `docs/images`, held to what the commands print.

use std::path::Path;

/// Compares a command with what it prints, in colours, with its picture; with `WRITE_DOCS=1`, draws it anew.
pub fn check(name: &str, command: &str, printed: &str) {
    let drawn = anstyle_svg::Term::new().render_svg(&format!("$ {command}\n{printed}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images").join(name);
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, &drawn).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(drawn == committed, "{name} is not what the command prints: make generate");
}
