//! Code of a shading language as it grows, statement by statement.

use super::dialect::Dialect;

pub(super) struct Code {
    pub(super) dialect: Dialect,
    text: String,
    depth: usize,
    /// Whether functions that need the table are given it.
    has_table: bool,
}

impl Code {
    pub(super) fn new(dialect: Dialect, has_table: bool) -> Self {
        Self { dialect, text: String::new(), depth: 0, has_table }
    }

    /// A line, with the words of the language; `$t` is the argument for the table.
    pub(super) fn line(&mut self, text: &str) {
        let [parameter, argument] = if self.has_table { self.dialect.passed() } else { [""; 2] };
        let translated = self.dialect.translated(text).replace("$p", parameter).replace("$t", argument);
        self.text.push_str(&"    ".repeat(self.depth));
        self.text.push_str(&translated);
        self.text.push('\n');
    }

    /// Lines as they are: comments and declarations.
    pub(super) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A value that stays.
    pub(super) fn value(&mut self, kind: &str, name: &str, value: &str) {
        match self.dialect {
            Dialect::Wgsl => self.line(&format!("let {name} = {value};")),
            _ => self.line(&format!("{kind} {name} = {value};")),
        }
    }

    /// A value that changes.
    pub(super) fn variable(&mut self, kind: &str, name: &str, value: &str) {
        match self.dialect {
            Dialect::Wgsl => self.line(&format!("var {name} = {value};")),
            _ => self.value(kind, name, value),
        }
    }

    pub(super) fn array(&mut self, kind: &str, name: &str, n: usize) {
        match self.dialect {
            Dialect::Wgsl => self.line(&format!("var {name}: array<{kind}, {n}>;")),
            _ => self.line(&format!("{kind} {name}[{n}];")),
        }
    }

    pub(super) fn constants(&mut self, kind: &str, name: &str, values: &[String]) {
        let text = self.dialect.constants(kind, name, values);
        self.raw(&self.dialect.translated(&text));
    }

    /// A function of `parameters` (type and name), and of the table if `reads_table`.
    pub(super) fn function(
        &mut self,
        (kind, name): (&str, &str),
        parameters: &[(&str, &str)],
        reads_table: bool,
        body: impl FnOnce(&mut Self),
    ) {
        let wgsl = self.dialect == Dialect::Wgsl;
        let one = |(kind, name): &(&str, &str)| {
            if wgsl { format!("{name}: {kind}") } else { format!("{kind} {name}") }
        };
        let list = parameters.iter().map(one).collect::<Vec<_>>().join(", ");
        let table = if reads_table { "$p" } else { "" };
        let prefix = if self.dialect == Dialect::Msl { "inline " } else { "" };
        match wgsl {
            true => self.line(&format!("fn {name}({list}) -> {kind} {{")),
            false => self.line(&format!("{prefix}{kind} {name}({list}{table}) {{")),
        }
        self.block(body);
        self.raw("\n");
    }

    /// `body` for `i` from 0 to n - 1.
    pub(super) fn repeat(&mut self, i: &str, n: usize, body: impl FnOnce(&mut Self)) {
        let kind = if self.dialect == Dialect::Wgsl { "var" } else { "uint" };
        self.line(&format!("for ({kind} {i} = 0u; {i} < {n}u; {i}++) {{"));
        self.block(body);
    }

    fn block(&mut self, body: impl FnOnce(&mut Self)) {
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line("}");
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}
