//! Sizes of what is shipped.

use crate::figures::Table;

const MIB: f64 = 1024.0 * 1024.0;

pub fn measure(table: &mut Table) {
    let size = |variable: &str| std::env::var(variable).ok().map(|path| std::fs::metadata(path).unwrap().len() as f64);
    let binary = size("SLUICE").expect("SLUICE is not set");
    let image = size("SLUICE_IMAGE").map(|size| format!("the image's tar: {:.1} MiB", size / MIB)).unwrap_or_default();
    let text = format!("{:.1} MiB", binary / MIB);
    table.value("static binary", "< 25 MB", binary < 25e6, &text, 1, &image);
}
