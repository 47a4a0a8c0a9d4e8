//! Which paths a plan leaves out.

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};

use super::PlanError;

/// Compiled patterns of [`super::PlanOptions::exclude`].
pub(super) struct Exclude {
    /// Compared with one name.
    names: Patterns,
    /// Compared with a whole path.
    paths: Patterns,
}

/// Patterns for anything, and patterns for folders only.
struct Patterns {
    any: GlobSet,
    folders: GlobSet,
}

impl Exclude {
    pub(super) fn new(patterns: &[String]) -> Result<Self, PlanError> {
        // Indexed by: has a slash, folders only.
        let mut builders = [[(); 2]; 2].map(|row| row.map(|()| GlobSetBuilder::new()));
        for pattern in patterns {
            let invalid = |reason: String| PlanError::Pattern {
                pattern: pattern.clone(),
                reason,
            };
            let text = pattern.trim_end_matches('/');
            let folders_only = text.len() < pattern.len();
            let text = text.strip_prefix("./").unwrap_or(text);
            // A leading slash only says that the pattern speaks of a path.
            let bare = text.strip_prefix('/').unwrap_or(text);
            if bare.is_empty() {
                return Err(invalid("it is empty".into()));
            }
            let glob = GlobBuilder::new(bare)
                .literal_separator(true)
                .build()
                .map_err(|error| invalid(error.kind().to_string()))?;
            builders[usize::from(text.contains('/'))][usize::from(folders_only)].add(glob);
        }
        let [names, paths] = builders.map(Patterns::build);
        let built = |patterns: Result<Patterns, globset::Error>| {
            patterns.map_err(|error| PlanError::Pattern {
                pattern: patterns_of(&error),
                reason: error.kind().to_string(),
            })
        };
        Ok(Self {
            names: built(names)?,
            paths: built(paths)?,
        })
    }

    /// Whether something called `name`, which would be archived at `path()` below the target, is left out.
    pub(super) fn matches(
        &self,
        name: &[u8],
        is_folder: bool,
        path: impl FnOnce() -> Vec<u8>,
    ) -> bool {
        self.names.matches(name, is_folder)
            || (!self.paths.is_empty() && self.paths.matches(&path(), is_folder))
    }
}

impl Patterns {
    fn build(builders: [GlobSetBuilder; 2]) -> Result<Self, globset::Error> {
        let [any, folders] = builders;
        Ok(Self {
            any: any.build()?,
            folders: folders.build()?,
        })
    }

    fn is_empty(&self) -> bool {
        self.any.is_empty() && self.folders.is_empty()
    }

    fn matches(&self, bytes: &[u8], is_folder: bool) -> bool {
        if self.is_empty() {
            return false;
        }
        let candidate = Candidate::from_bytes(bytes);
        self.any.is_match_candidate(&candidate)
            || (is_folder && self.folders.is_match_candidate(&candidate))
    }
}

fn patterns_of(error: &globset::Error) -> String {
    error.glob().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(pattern: &str, path: &str, is_folder: bool) -> bool {
        let exclude = Exclude::new(&[pattern.to_owned()]).expect("a valid pattern");
        let name = path.rsplit('/').next().unwrap_or_default();
        exclude.matches(name.as_bytes(), is_folder, || path.as_bytes().to_vec())
    }

    #[test]
    fn a_pattern_without_a_slash_speaks_of_names() {
        assert!(excluded("*.tmp", "a/b/c.tmp", false));
        assert!(excluded("node_modules", "a/node_modules", true));
        assert!(!excluded("*.tmp", "a.tmp/b", false));
    }

    #[test]
    fn a_pattern_with_a_slash_speaks_of_paths() {
        assert!(excluded("src/*.o", "src/a.o", false));
        assert!(!excluded("src/*.o", "src/deep/a.o", false));
        assert!(excluded("src/**/*.o", "src/deep/a.o", false));
        assert!(excluded("/top", "top", false));
        assert!(!excluded("/top", "a/top", false));
    }

    #[test]
    fn a_slash_at_the_end_means_folders() {
        assert!(excluded("build/", "a/build", true));
        assert!(!excluded("build/", "a/build", false));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["", "/", "a[", "{a"] {
            assert!(Exclude::new(&[pattern.to_owned()]).is_err(), "{pattern}");
        }
    }
}
