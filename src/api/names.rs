//! Deterministic names: a crash between a write and its record finds the same object again.
//!
//! Names are cut to fit where Kubernetes uses them (63 characters for a label value, and the Job's name becomes one of its
//! pods' labels), and carry a digest so that what was cut, and a run created again under its old name, stay distinct.

/// FNV-1a, 64 bits: short and stable over releases of the compiler, which `std`'s hasher does not promise. Not a defence:
/// where a collision would matter, the UID is compared.
#[must_use]
pub fn digest(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain(std::iter::once(0xff)) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

/// [`digest`] as 16 hexadecimal digits, fit for a label value.
#[must_use]
pub fn digest_hex(parts: &[&str]) -> String {
    format!("{:016x}", digest(parts))
}

/// Name of the Job of one step of one attempt: `<run>-<digest>-<step>-<attempt>`, at most 57 characters, so that the pod's
/// name (six more) still fits a host name. The digest is over the run's UID and the generation that took the release up.
#[must_use]
pub fn job(run: &str, uid: &str, generation: i64, step: &str, attempt: i32) -> String {
    let digest = digest_hex(&[uid, &generation.to_string()]);
    let tail = format!("-{}-{step}-{attempt}", digest.get(..8).unwrap_or_default());
    format!("{}{tail}", cut(run, 57_usize.saturating_sub(tail.len())))
}

/// Name of the Lease that locks a database, in the operator's namespace.
#[must_use]
pub fn database_lease(database_digest: &str) -> String {
    format!("sluice-db-{database_digest}")
}

/// A token as it is put on record: as written, but a long one by its beginning and its digest. Two that differ stay so.
#[must_use]
pub fn token(text: &str) -> String {
    if text.chars().count() <= 128 {
        return text.to_owned();
    }
    let start: String = text.chars().take(100).collect();
    format!("{start}~{}", digest_hex(&[text]))
}

/// A name as a label's value: a long one by its beginning and its digest.
#[must_use]
pub fn label(name: &str) -> String {
    if name.len() <= 63 {
        return name.to_owned();
    }
    format!("{}-{}", cut(name, 46), digest_hex(&[name]))
}

/// `text`, at most `max` characters of ASCII, not ending in a character that a name may not end in.
#[must_use]
pub fn cut(text: &str, max: usize) -> &str {
    text.get(..max.min(text.len())).unwrap_or_default().trim_end_matches(['-', '.', '_'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_name_fits_and_differs_by_all_that_identifies_it() {
        let long = "a".repeat(63);
        let name = job(&long, "uid-1", 12345, "migrate", 100);
        assert!(name.len() <= 57, "{name}");
        let others = [
            job(&long, "uid-2", 12345, "migrate", 100),
            job(&long, "uid-1", 12346, "migrate", 100),
            job(&long, "uid-1", 12345, "check", 100),
            job(&long, "uid-1", 12345, "migrate", 101),
        ];
        assert!(others.iter().all(|other| *other != name));
        assert_eq!(job("shop", "u", 1, "check", 1), job("shop", "u", 1, "check", 1));
    }

    #[test]
    fn a_digest_keeps_its_parts_apart() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_eq!(digest_hex(&["prod/shop"]).len(), 16);
    }

    #[test]
    fn a_label_of_a_long_name_fits_and_stays_distinct() {
        let (long, other) = ("a".repeat(100), format!("{}b", "a".repeat(99)));
        assert_eq!(label("shop"), "shop");
        assert_eq!(label(&long).len(), 63);
        assert_ne!(label(&long), label(&other));
        assert_eq!(cut("shop-5f8.-", 9), "shop-5f8");
    }

    #[test]
    fn tokens_that_differ_stay_so_on_record() {
        assert_eq!(token("try-1-"), "try-1-");
        let (long, longer) = ("é".repeat(200), "é".repeat(201));
        assert_ne!(token(&long), token(&longer));
        assert_eq!(token(&long).chars().count(), 117);
    }

    #[test]
    fn a_cut_name_ends_in_a_letter() {
        assert_eq!(cut("shop-db-x", 8), "shop-db");
        assert_eq!(cut("shop", 63), "shop");
    }
}
