//! Near misses: which known words somebody may have meant.

/// The known words that are nearest to `word`, best first; none if nothing is near.
pub(crate) fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let word: Vec<char> = word.chars().take(64).collect();
    let allowed = 1 + word.len() / 4;
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= allowed || same_letters(&word, candidate))
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().take(3).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// Whether only the order of the letters is wrong.
fn same_letters(a: &[char], b: &str) -> bool {
    let (mut a, mut b): (Vec<char>, Vec<char>) = (a.to_vec(), b.chars().collect());
    a.sort_unstable();
    b.sort_unstable();
    a == b
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        for (right, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let cost = if left == right { diagonal } else { 1 + diagonal.min(last).min(*above) };
            diagonal = *above;
            *above = cost;
            last = cost;
        }
        row[0] = i + 1;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_letter_is_near_another_word_is_not() {
        assert_eq!(near("titel", ["title", "covers"]), ["title"]);
        assert_eq!(near("bbo", ["alice", "bob"]), ["bob"]);
        assert_eq!(near("bob", ["alice", "covers"]), Vec::<String>::new());
        assert_eq!(distance(&['a', 'b'], ""), 2);
        assert_eq!(distance(&[], "abc"), 3);
        assert_eq!(distance(&['k', 'i', 't'], "sit"), 1);
    }
}
