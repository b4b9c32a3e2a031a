//! What every tool's log can hold: the databases' codes and words, the network's, the system's.

mod codes;
mod script;
mod system;
mod words;

pub(super) use codes::CODES;
pub(super) use script::SCRIPT;
pub(super) use system::SYSTEM;
pub(super) use words::WORDS;

#[cfg(test)]
mod tests {
    #[test]
    fn patterns_compile() {
        crate::classify::rules::tests::check(super::CODES);
        crate::classify::rules::tests::check(super::WORDS);
        crate::classify::rules::tests::check(super::SCRIPT);
        crate::classify::rules::tests::check(super::SYSTEM);
    }
}
