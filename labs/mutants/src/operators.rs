//! What is changed in a solution: one place at a time, as a slip of the hand would.
//!
//! Each change is one of the text, so that a reader sees what the compiler sees.
//! Many make no program; those are left out when they do not compile.

use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Block, Expr, Lit, Stmt, UnOp};

/// A solution with one place changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// The function that the place is in, or the constant.
    pub function: String,
    /// The line of it, from 1.
    pub line: usize,
    /// What stands there.
    pub was: String,
    /// What stands there instead; empty: nothing.
    pub is: String,
    place: Range<usize>,
}

impl Mutant {
    /// The whole text with the change.
    pub fn apply(&self, solution: &str) -> String {
        let (before, after) = (&solution[..self.place.start], &solution[self.place.end..]);
        [before, &self.is, after].concat()
    }
}

/// All changes to the text of a solution.
///
/// # Errors
/// It is no Rust.
pub fn mutants(solution: &str) -> syn::Result<Vec<Mutant>> {
    let file = syn::parse_file(solution)?;
    let mut operators =
        Operators { solution, function: String::new(), returns_nothing: false, found: Vec::new() };
    operators.visit_file(&file);
    let mut found = operators.found;
    found.sort_by_key(|it| (it.place.start, it.place.end));
    found.dedup();
    Ok(found)
}

/// The calls that are taken for one another.
const ALIKE: [(&str, &str); 12] = [
    ("starts_with", "ends_with"),
    ("strip_prefix", "strip_suffix"),
    ("is_some", "is_none"),
    ("is_ok", "is_err"),
    ("is_some_and", "is_none_or"),
    ("any", "all"),
    ("min", "max"),
    ("first", "last"),
    ("find", "rfind"),
    ("split_once", "rsplit_once"),
    ("symlink_metadata", "metadata"),
    ("exists", "is_symlink"),
];

struct Operators<'a> {
    solution: &'a str,
    function: String,
    /// Whether that function returns nothing but an error.
    returns_nothing: bool,
    found: Vec<Mutant>,
}

impl Operators<'_> {
    fn text(&self, of: &impl Spanned) -> &str {
        &self.solution[of.span().byte_range()]
    }

    /// Notes a change of what is `there`.
    fn change(&mut self, there: &impl Spanned, is: impl Into<String>) {
        let span = there.span();
        self.change_at(span.byte_range(), span.start().line, is.into());
    }

    fn change_at(&mut self, place: Range<usize>, line: usize, is: String) {
        let (function, was) = (self.function.clone(), self.solution[place.clone()].to_owned());
        if was != is {
            self.found.push(Mutant { function, line, was, is, place });
        }
    }

    /// Something in place of a number.
    fn number(&mut self, lit: &syn::LitInt) {
        let Ok(value) = lit.base10_parse::<u128>() else { return };
        let suffix = lit.suffix();
        let mut others = vec![value + 1, 0];
        others.extend(value.checked_sub(1));
        others.dedup();
        for other in others.into_iter().filter(|other| *other != value) {
            self.change(lit, format!("{other}{suffix}"));
        }
    }

    fn binary(&mut self, it: &syn::ExprBinary) {
        let others: &[&str] = match it.op {
            BinOp::And(_) => &["||"],
            BinOp::Or(_) => &["&&"],
            BinOp::Eq(_) => &["!="],
            BinOp::Ne(_) => &["=="],
            BinOp::Lt(_) => &["<=", ">"],
            BinOp::Le(_) => &["<", ">="],
            BinOp::Gt(_) => &[">=", "<"],
            BinOp::Ge(_) => &[">", "<="],
            BinOp::Add(_) => &["-"],
            BinOp::Sub(_) => &["+"],
            BinOp::Mul(_) => &["/"],
            BinOp::Div(_) => &["*"],
            BinOp::Shl(_) => &[">>"],
            BinOp::Shr(_) => &["<<"],
            BinOp::BitAnd(_) => &["|"],
            BinOp::AddAssign(_) => &["-="],
            BinOp::SubAssign(_) => &["+="],
            _ => &[],
        };
        for other in others {
            self.change(&it.op, *other);
        }
        // One side alone.
        if matches!(it.op, BinOp::And(_) | BinOp::Or(_) | BinOp::BitOr(_) | BinOp::BitAnd(_)) {
            for side in [&it.left, &it.right] {
                let alone = self.text(side).to_owned();
                self.change(it, alone);
            }
        }
    }

    /// Two neighbours in each other's place.
    fn swap(&mut self, one: &impl Spanned, other: &impl Spanned) {
        let place = one.span().byte_range().start..other.span().byte_range().end;
        let between = one.span().byte_range().end..other.span().byte_range().start;
        let swapped = [self.text(other), &self.solution[between], self.text(one)].concat();
        self.change_at(place, one.span().start().line, swapped);
    }
}

impl<'ast> Visit<'ast> for Operators<'_> {
    fn visit_signature(&mut self, it: &'ast syn::Signature) {
        self.function = it.ident.to_string();
        self.returns_nothing = self.text(&it.output).contains("<()>");
    }

    fn visit_item_const(&mut self, it: &'ast syn::ItemConst) {
        self.function = it.ident.to_string();
        self.visit_expr(&it.expr);
    }

    // Types and patterns of arguments are given by the task.
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_block(&mut self, block: &'ast Block) {
        // 1. Without a statement.
        let is_value = |at: usize, stmt: &Stmt| {
            at + 1 == block.stmts.len() && matches!(stmt, Stmt::Expr(_, None))
        };
        for (at, stmt) in block.stmts.iter().enumerate() {
            match stmt {
                Stmt::Expr(..) | Stmt::Macro(_) if !is_value(at, stmt) => self.change(stmt, ""),
                // 2. With another value at its end.
                Stmt::Expr(value, None) => {
                    // Ok(Default::default()) is Ok(()) where there is no value.
                    let nothings = ["Ok(())", "Default::default()", "Ok(Default::default())"];
                    let count = if self.returns_nothing { 2 } else { 3 };
                    for nothing in &nothings[..count] {
                        self.change(value, *nothing);
                    }
                }
                _ => {}
            }
        }
        // 3. In another order.
        for pair in block.stmts.windows(2) {
            // Before or after a `let` is the same, or no program.
            let ends = |stmt: &Stmt| matches!(stmt, Stmt::Expr(_, Some(_)));
            if pair.iter().all(ends) {
                self.swap(&pair[0], &pair[1]);
            }
        }
        visit::visit_block(self, block);
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Binary(it) => self.binary(it),
            Expr::Unary(it) if matches!(it.op, UnOp::Not(_) | UnOp::Neg(_)) => {
                let bare = self.text(&it.expr).to_owned();
                self.change(it, bare);
            }
            Expr::Lit(it) => match &it.lit {
                Lit::Int(lit) => self.number(lit),
                Lit::Bool(lit) => self.change(lit, (!lit.value).to_string()),
                Lit::Str(lit) if lit.value().is_empty() => self.change(lit, "\"other\""),
                Lit::Str(lit) => self.change(lit, "\"\""),
                Lit::Byte(lit) => self.change(lit, "b'~'"),
                Lit::Char(lit) => self.change(lit, "'~'"),
                Lit::ByteStr(lit) => self.change(lit, "b\"\""),
                _ => {}
            },
            // A flag, left out.
            Expr::Path(it) if it.path.segments.len() > 1 => {
                let kind = &it.path.segments[it.path.segments.len() - 2].ident;
                if kind.to_string().ends_with("Flags") {
                    self.change(it, format!("{kind}::empty()"));
                }
            }
            Expr::If(it) if !matches!(*it.cond, Expr::Let(_)) => {
                self.change(&it.cond, "true");
                self.change(&it.cond, "false");
            }
            // An error that nobody looks at.
            Expr::Try(it) => {
                let tried = self.text(&it.expr).to_owned();
                self.change(it, format!("{tried}.unwrap_or_default()"));
            }
            Expr::Call(it) => {
                for (one, other) in it.args.iter().zip(it.args.iter().skip(1)) {
                    self.swap(one, other);
                }
                if self.text(&it.func) == "Some" {
                    self.change(it, "None");
                }
            }
            Expr::MethodCall(it) => {
                let receiver = self.text(&it.receiver).to_owned();
                self.change(it, receiver);
                let both = ALIKE.iter().flat_map(|(one, other)| [(one, other), (other, one)]);
                for (_, other) in both.filter(|(one, _)| it.method == **one) {
                    self.change(&it.method, *other);
                }
                for (one, other) in it.args.iter().zip(it.args.iter().skip(1)) {
                    self.swap(one, other);
                }
            }
            Expr::Array(it) => {
                let elems: Vec<&Expr> = it.elems.iter().collect();
                for left_out in 0..elems.len() {
                    let mut kept = elems.clone();
                    kept.remove(left_out);
                    let kept: Vec<&str> = kept.into_iter().map(|it| self.text(it)).collect();
                    let shorter = format!("[{}]", kept.join(", "));
                    self.change(it, shorter);
                }
            }
            Expr::Range(it) => match it.limits {
                syn::RangeLimits::HalfOpen(_) if it.end.is_some() => self.change(&it.limits, "..="),
                syn::RangeLimits::Closed(_) => self.change(&it.limits, ".."),
                syn::RangeLimits::HalfOpen(_) => {}
            },
            Expr::Macro(it) if it.mac.path.is_ident("matches") => {
                self.change(it, "true");
                self.change(it, "false");
            }
            _ => {}
        }
        visit::visit_expr(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        self.change(arm, "");
        visit::visit_arm(self, arm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(body: &str) -> Vec<String> {
        let solution = format!("fn f() {{ {body} }}");
        let mut all: Vec<_> = mutants(&solution)
            .expect("Rust")
            .into_iter()
            .map(|mutant| format!("{} -> {}", mutant.was, mutant.is))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn each_flag_is_left_out() {
        let all = changes("mount(a, MsFlags::MS_BIND | MsFlags::MS_REC)?;");
        for expected in [
            "MsFlags::MS_BIND | MsFlags::MS_REC -> MsFlags::MS_BIND",
            "MsFlags::MS_BIND | MsFlags::MS_REC -> MsFlags::MS_REC",
            "MsFlags::MS_REC -> MsFlags::empty()",
            "mount(a, MsFlags::MS_BIND | MsFlags::MS_REC)?; -> ",
        ] {
            assert!(all.iter().any(|it| it == expected), "{expected} is not in {all:#?}");
        }
    }

    #[test]
    fn errors_are_dropped_and_steps_exchanged() {
        let all = changes("a()?; b()?; Ok(c()?)");
        for expected in
            ["a()? -> a().unwrap_or_default()", "a()?; b()?; -> b()?; a()?;", "Ok(c()?) -> Ok(())"]
        {
            assert!(all.iter().any(|it| it == expected), "{expected} is not in {all:#?}");
        }
    }

    #[test]
    fn a_change_is_one_of_the_text() {
        let solution = "fn f() -> u8 { 1 }";
        let all = mutants(solution).expect("Rust");
        let texts: Vec<_> = all.iter().map(|mutant| mutant.apply(solution)).collect();
        assert!(texts.contains(&"fn f() -> u8 { 2 }".to_owned()), "{texts:?}");
        assert!(all.iter().all(|mutant| mutant.function == "f" && mutant.line == 1));
    }
}
