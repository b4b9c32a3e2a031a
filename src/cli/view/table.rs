//! Rows under headings, aligned as kubectl does it.

/// Between two columns.
const GAP: usize = 3;

/// The rows, each with as many cells as there are headings; nothing ends in spaces.
pub fn render(headings: &[&str], rows: &[Vec<String>]) -> String {
    let widths = widths(headings, rows);
    let first: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    std::iter::once(&first).chain(rows).map(|row| line(row, &widths)).collect()
}

/// How wide each column is.
pub fn widths(headings: &[&str], rows: &[Vec<String>]) -> Vec<usize> {
    let of = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|heading| heading.len())).max().unwrap_or_default()
    };
    (0..headings.len()).map(of).collect()
}

/// One row.
pub fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}{}", " ".repeat(GAP)));
    format!("{}\n", cells.collect::<String>().trim_end())
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["shop".to_owned(), "x".to_owned()], vec!["a-long-name".to_owned(), "y".to_owned()]];
        assert_eq!(super::render(&["NAME", "STEP"], &rows), "NAME          STEP\nshop          x\na-long-name   y\n");
    }
}
