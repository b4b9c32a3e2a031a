//! A Git repository on this machine, which Argo CD reads by `file://`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A bare repository, and a work tree of it in which commits are made.
pub struct Git {
    tree: PathBuf,
    bare: PathBuf,
}

impl Git {
    /// An empty one; what an earlier run has left under this name goes.
    pub fn new(name: &str) -> Self {
        let folder =
            PathBuf::from(std::env::var("ARGOCD_DIR").expect("ARGOCD_DIR: tests/gitops/argocd up DIR")).join("git");
        let git = Self { tree: folder.join(name), bare: folder.join(format!("{name}.git")) };
        for folder in [&git.tree, &git.bare] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir_all(folder).unwrap();
        }
        run(&git.bare, &["init", "--quiet", "--bare", "--initial-branch=main"]);
        run(&git.tree, &["init", "--quiet", "--initial-branch=main"]);
        run(&git.tree, &["remote", "add", "origin", &git.url()]);
        git.write("README.md", "What the cluster is to look like.\n");
        git.commit("Begin");
        git
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.bare.display())
    }

    pub fn write(&self, path: &str, text: &str) {
        let file = self.tree.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.tree.join(path)).unwrap();
    }

    /// Commits all that has changed, and pushes it; the commit.
    pub fn commit(&self, subject: &str) -> String {
        run(&self.tree, &["add", "--all"]);
        run(&self.tree, &["commit", "--quiet", "--message", subject]);
        self.push()
    }

    /// Takes the last commit back by another one.
    pub fn revert(&self) -> String {
        run(&self.tree, &["revert", "--no-edit", "HEAD"]);
        self.push()
    }

    fn push(&self) -> String {
        run(&self.tree, &["push", "--quiet", "origin", "main"]);
        self.head()
    }

    pub fn head(&self) -> String {
        run(&self.tree, &["rev-parse", "HEAD"])
    }
}

fn run(folder: &Path, args: &[&str]) -> String {
    let who = ["-c", "user.name=release", "-c", "user.email=release@example.org"];
    let output = Command::new("git").current_dir(folder).args(who).args(args).output().expect("git is on the PATH");
    assert!(output.status.success(), "git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
