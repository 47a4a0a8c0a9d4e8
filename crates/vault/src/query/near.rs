//! Which of some words somebody may have meant.

/// The nearest of `words`, if it is so near that it may well have been meant.
pub(crate) fn nearest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let letters = word.chars().count();
    let bound = match letters {
        0 | 1 => return None,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    words
        .map(|candidate| (distance(word, candidate, bound), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters longest compared: beyond that nothing is near.
const LETTERS_MAX: usize = 64;

/// Letters to insert, leave out, replace, or swap with their neighbour; more than `bound` if it is clearly more.
fn distance(a: &str, b: &str, bound: usize) -> usize {
    let a: Vec<char> = a.chars().take(LETTERS_MAX + 1).collect();
    let b: Vec<char> = b.chars().take(LETTERS_MAX + 1).collect();
    let beyond = bound + 1;
    if a.len().abs_diff(b.len()) > bound || a.len() > LETTERS_MAX || b.len() > LETTERS_MAX {
        return beyond;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut steps = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                steps = steps.min(before[j - 2] + 1);
            }
            row.push(steps);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand_are_near() {
        let words = || ["type", "ext", "size", "before", "modified"].into_iter();
        for (word, due) in [
            ("typ", Some("type")),
            ("tpye", Some("type")),
            ("types", Some("type")),
            ("szie", Some("size")),
            ("modfied", Some("modified")),
            ("http", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words()), due, "{word}");
        }
        assert_eq!(distance("", "abc", 5), 3);
        assert!(distance(&"a".repeat(10_000), &"b".repeat(10_000), 3) > 3);
    }
}
