//! Each sample of an epoch once.

use super::cases;
use afterimage::model::Shuffle;
use proptest::prelude::*;
use std::collections::HashSet;

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn the_shuffle_is_a_bijection(n in 1u32..5000, seed in any::<u64>(), epoch in any::<u64>()) {
        let shuffle = Shuffle::new(n, seed, epoch);
        let mut seen = vec![false; n as usize];
        for i in 0..n {
            let index = shuffle.index(i);
            prop_assert!(index < n, "{index} of {n}");
            prop_assert!(!std::mem::replace(&mut seen[index as usize], true), "{index} twice");
        }
    }

    #[test]
    fn the_shuffle_of_any_size_stays_in_range_and_repeats_nothing(
        n in prop_oneof![1u32..=u32::MAX, (1u32..=31).prop_map(|b| 1 << b), u32::MAX - 9..=u32::MAX],
        seed in any::<u64>(),
        epoch in any::<u64>(),
        first in any::<u32>(),
    ) {
        let shuffle = Shuffle::new(n, seed, epoch);
        let first = first % n;
        let samples: HashSet<u32> =
            (first..n).take(500).chain(0..500.min(n)).chain(n.saturating_sub(500)..n).collect();
        let indices: HashSet<u32> = samples.iter().map(|&i| shuffle.index(i)).collect();
        prop_assert_eq!(indices.len(), samples.len());
        prop_assert!(indices.iter().all(|&index| index < n));
    }
}
