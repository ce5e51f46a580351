//! Tables of results, as Markdown and as HTML.

use maud::{Markup, html};

/// A table without the name of its first column, which is that of the rows' names.
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<TableRow>,
}

pub(crate) struct TableRow {
    pub(crate) name: String,
    pub(crate) cells: Vec<Option<String>>,
    /// The cell that stands out.
    pub(crate) best: Option<usize>,
}

impl Table {
    pub(crate) fn markdown(&self, corner: &str) -> String {
        let line = |name: &str, cells: &[String]| format!("| {} | {} |\n", plain(name), cells.join(" | "));
        let row = |row: &TableRow| {
            let cell = |(i, cell): (usize, &Option<String>)| match cell {
                None => "-".to_owned(),
                Some(text) if row.best == Some(i) => format!("**{text}**"),
                Some(text) => text.clone(),
            };
            line(&row.name, &row.cells.iter().enumerate().map(cell).collect::<Vec<_>>())
        };
        let rule = format!("|---|{}\n", "---:|".repeat(self.columns.len()));
        [line(corner, &self.columns), rule].into_iter().chain(self.rows.iter().map(row)).collect()
    }

    pub(crate) fn html(&self, corner: &str, caption: Option<&str>) -> Markup {
        html! {
            div.wide {
                table {
                    @if let Some(caption) = caption { caption { (caption) } }
                    thead { tr { th { (corner) } @for name in &self.columns { th scope="col" { (name) } } } }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                th scope="row" { (row.name) }
                                @for (i, cell) in row.cells.iter().enumerate() {
                                    td class=[(row.best == Some(i)).then_some("best")] {
                                        (cell.as_deref().unwrap_or("–"))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Text with Markdown's special characters escaped.
pub(crate) fn plain(text: &str) -> String {
    let special = |c: char| "\\`*_{}[]<>#|".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn names_do_not_break_tables() {
        assert_eq!(plain("a|b"), "a\\|b");
    }
}
