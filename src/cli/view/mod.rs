//! What people are shown: pure, from objects to text.

pub mod age;
pub mod check;
pub mod gate;
pub mod run;
#[cfg(test)]
mod screenshot;
pub mod style;
pub mod table;
pub mod tree;
pub mod withhold;

/// An image by its last path segment, tag or the beginning of its digest: what tells releases apart.
pub fn short(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once("@sha256:") {
        Some((name, digest)) => format!("{name}@{}", digest.get(..12).unwrap_or(digest)),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_image_is_told_by_its_end() {
        let digest = "a".repeat(64);
        for (image, short) in [
            ("ghcr.io/acme/shop:1.2", "shop:1.2"),
            ("shop", "shop"),
            ("localhost:5000/shop:1", "shop:1"),
            (&format!("ghcr.io/a/shop@sha256:{digest}"), "shop@aaaaaaaaaaaa"),
            (&format!("shop:1@sha256:{digest}"), "shop:1@aaaaaaaaaaaa"),
        ] {
            assert_eq!(super::short(image), short);
        }
    }
}
