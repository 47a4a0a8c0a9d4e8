//! How much parity a stripe gets, and which stripes are merged.

use super::capsule::ALIGNED_FROM;
use super::{BLOCKS, DATA_SHARDS_MAX};
use crate::model::Parity;

/// Shards from which a stripe stands for itself in a vault of [`LARGE_VAULT`] shards and more: 48 MiB, of which the
/// default parity is 3 MiB. A bulk import's transaction takes no further batch from then on.
pub(crate) const SETTLED_SHARDS: usize = 12_288;
/// 256 MiB.
const LARGE_VAULT: usize = 65_536;
/// Shards of a stripe that many are merged into: 60 MiB.
pub(crate) const BULK_SHARDS: usize = 15_360;
/// Shards that are not worth encoding a large stripe again for; in a large vault they stand alone, with the parity that
/// the promised gap asks for: 4 MiB.
const ALONE_SHARDS: usize = 1024;
/// The smallest gap, in shards, that large vaults survive: 3 MiB and some.
const GAP_SHARDS: usize = 768 + 32;
/// Parity shards on top of what the share asks for, so that chance alone does not undo a small stripe.
const SETTLED_EXTRA: usize = 16;
/// Parity shards at least: a gap of 2 % in a vault that holds next to nothing takes as many as five.
const SETTLED_MIN: usize = 8;
/// And at most so many more for stripes of middling size, whose share leaves little room for a bad draw.
const SPREAD_EXTRA: usize = 32;

/// What a stripe has to protect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Shards that are blocks of the file.
    pub(crate) aligned: usize,
    /// Shards of small bytes strung together.
    pub(crate) shared: usize,
}

/// Parity shards of a stripe. A lost block takes one aligned shard with it, but two and more shared ones, since rows lie
/// across the blocks' ends: these weigh half as much again, and the share has room for the rest.
pub(crate) fn parity_shards(
    parity: Parity,
    extent: Extent,
    settled: bool,
    vault_shards: usize,
) -> usize {
    if parity == Parity::Off {
        return 0;
    }
    let share = |shards: usize| (shards * parity.per_32()).div_ceil(32);
    let data = extent.aligned + extent.shared;
    if !settled {
        return whole_pages(share(data) + 1);
    }
    let share = share(extent.aligned + extent.shared * 3 / 2);
    let enough = share + SETTLED_EXTRA.min(data) + (data / 64).min(SPREAD_EXTRA);
    whole_pages(enough.max(gap(parity, data, vault_shards)).max(SETTLED_MIN))
}

/// Parity shards of a stripe of [`SETTLED_SHARDS`] and up to a quarter more, which a bulk import makes, rounded up to a
/// power of two.
pub(crate) fn parity_block(parity: Parity) -> usize {
    let extent = Extent {
        aligned: SETTLED_SHARDS,
        shared: 0,
    };
    parity_shards(parity, extent, true, 0).next_power_of_two()
}

/// The gap, in blocks, that a settled stripe survives in a vault of so many shards. It is promised for the default share:
/// 2 % of the file, which is at most a quarter larger than what is protected, or 3 MiB.
/// A stripe that stays as it is when the vault grows is made for a large one.
pub(crate) fn gap(parity: Parity, data: usize, vault_shards: usize) -> usize {
    let promised = if data >= SETTLED_SHARDS {
        GAP_SHARDS
    } else {
        GAP_SHARDS.min(vault_shards.max(data).div_ceil(36))
    };
    promised * parity.per_32() / 2
}

/// Aligned parity fills its pages.
fn whole_pages(shards: usize) -> usize {
    if shards < ALIGNED_FROM {
        shards
    } else {
        shards.next_multiple_of(BLOCKS)
    }
}

/// A stripe as far as merging is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stripe {
    pub(crate) id: u64,
    pub(crate) shards: usize,
    /// Written for the long term, not by a small commit.
    pub(crate) settled: bool,
}

/// Groups of stripes that should become one each, so that none is left too small to survive a gap.
pub(crate) fn merges(stripes: &[Stripe]) -> Vec<Vec<Stripe>> {
    let total: usize = stripes.iter().map(|stripe| stripe.shards).sum();
    // Below 256 MiB at most two stripes: a gap of 2 % of the file is then below the parity of one.
    let enough = if total >= LARGE_VAULT {
        SETTLED_SHARDS
    } else {
        (total * 2 / 5).min(DATA_SHARDS_MAX * 2 / 5)
    };
    let small = |stripe: &Stripe| !stripe.settled || stripe.shards < enough;
    let (mut few, mut many): (Vec<Stripe>, Vec<Stripe>) = stripes.iter().partition(|s| small(s));
    if few.is_empty() || (stripes.len() == 1 && stripes[0].settled) {
        return Vec::new();
    }
    let sum: usize = few.iter().map(|stripe| stripe.shards).sum();
    if sum < enough && !(total >= LARGE_VAULT && sum >= ALONE_SHARDS) {
        // Together too small: the smallest of the others takes them in.
        many.sort_by_key(|stripe| stripe.shards);
        if let Some(host) = many
            .first()
            .filter(|host| host.shards + sum <= DATA_SHARDS_MAX)
        {
            few.insert(0, *host);
        }
    }
    let sum: usize = few.iter().map(|stripe| stripe.shards).sum();
    let wanted = if total >= LARGE_VAULT {
        BULK_SHARDS
    } else {
        DATA_SHARDS_MAX
    };
    let groups = (sum / wanted).max(sum.div_ceil(DATA_SHARDS_MAX)).max(1);
    let mut plan: Vec<Vec<Stripe>> = Vec::new();
    let mut filled = DATA_SHARDS_MAX;
    for stripe in few {
        if filled + stripe.shards / 2 > sum / groups || filled + stripe.shards > DATA_SHARDS_MAX {
            plan.push(Vec::new());
            filled = 0;
        }
        filled += stripe.shards;
        plan.last_mut()
            .expect("one was just put there")
            .push(stripe);
    }
    // What is left over must not stay too small either.
    let shards = |group: &[Stripe]| group.iter().map(|stripe| stripe.shards).sum::<usize>();
    if let [.., before, last] = &plan[..]
        && shards(last) < enough
        && shards(before) + shards(last) <= DATA_SHARDS_MAX
    {
        let last = plan.pop().expect("there are two");
        plan.last_mut().expect("there were two").extend(last);
    }
    // A stripe that would only be copied stays, unless it is to get its final parity.
    plan.retain(|group| group.len() > 1 || group.iter().any(|stripe| !stripe.settled));
    plan
}

/// Small stripes that should be merged in passing, before there are too many; none if there are few. Sizes go up in
/// steps, so that no byte is merged more than a few times. They make no larger stripe than a bulk import does, which
/// bounds the memory of a server that goes on for years.
pub(crate) fn crowded(stripes: &[Stripe]) -> Vec<Stripe> {
    /// Below 2 MiB and what may stay, with how many there may be.
    const STEPS: [(usize, usize); 2] = [(512, 128), (SETTLED_SHARDS, 48)];
    let mut from = 0;
    for (below, most) in STEPS {
        let step = of(stripes, |shards| (from..below).contains(&shards));
        if step.len() >= most {
            return bounded(step);
        }
        from = below;
    }
    Vec::new()
}

fn of(stripes: &[Stripe], size: impl Fn(usize) -> bool) -> Vec<Stripe> {
    let wanted = |stripe: &&Stripe| !stripe.settled && size(stripe.shards);
    stripes.iter().filter(wanted).copied().collect()
}

/// Those, oldest first, that fit into one stripe of a bulk import's size.
fn bounded(stripes: Vec<Stripe>) -> Vec<Stripe> {
    let mut sum = 0;
    let mut fits = |stripe: &Stripe| {
        let fits = sum + stripe.shards <= BULK_SHARDS;
        sum += if fits { stripe.shards } else { 0 };
        fits
    };
    stripes.into_iter().filter(|stripe| fits(stripe)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripes(sizes: &[(usize, bool)]) -> Vec<Stripe> {
        sizes
            .iter()
            .enumerate()
            .map(|(id, &(shards, settled))| Stripe {
                id: id as u64,
                shards,
                settled,
            })
            .collect()
    }

    /// Carries the plan out on the sizes alone.
    fn settle(before: &[Stripe]) -> Vec<Stripe> {
        let plan = merges(before);
        let merged: Vec<u64> = plan.iter().flatten().map(|stripe| stripe.id).collect();
        let mut after: Vec<Stripe> = before
            .iter()
            .filter(|stripe| !merged.contains(&stripe.id))
            .copied()
            .collect();
        for (n, group) in plan.iter().enumerate() {
            after.push(Stripe {
                id: 1000 + n as u64,
                shards: group.iter().map(|stripe| stripe.shards).sum(),
                settled: true,
            });
        }
        after
    }

    #[test]
    fn settled_stripes_are_large_enough_for_the_promised_gap_and_stay() {
        let cases: [&[(usize, bool)]; 9] = [
            &[(1, false)],
            &[(1, false), (300, false), (20, false)],
            &[
                (15_360, true),
                (15_360, true),
                (15_360, true),
                (7_000, false),
            ],
            &[
                (15_360, true),
                (15_360, true),
                (15_360, true),
                (2_000, true),
            ],
            &[
                (16_000, true),
                (16_000, true),
                (16_000, true),
                (16_000, true),
                (16_000, true),
                (10, false),
            ],
            &[(28_000, true), (28_000, true), (28_000, true), (10, false)],
            &[(20_000, true), (20_000, true), (3_000, false)],
            &[
                (30_000, true),
                (9_000, false),
                (9_000, false),
                (4_000, false),
            ],
            &[
                (9_000, false),
                (9_000, false),
                (9_000, false),
                (9_000, false),
                (9_000, false),
                (9_000, false),
                (9_000, false),
                (9_000, false),
                (9_000, false),
            ],
        ];
        for case in cases {
            let before = stripes(case);
            let total: usize = before.iter().map(|stripe| stripe.shards).sum();
            let after = settle(&before);
            assert_eq!(
                after.iter().map(|stripe| stripe.shards).sum::<usize>(),
                total
            );
            for stripe in &after {
                assert!(
                    stripe.settled && stripe.shards <= DATA_SHARDS_MAX,
                    "{case:?} {after:?}"
                );
                let aligned = stripe.shards;
                let parity =
                    parity_shards(Parity::Percent6, Extent { aligned, shared: 0 }, true, total);
                // 2 % of a file that is a quarter larger than what is protected, or 3 MiB.
                let gap = (total * 5 / 4 / 50).min(768);
                assert!(parity > gap, "{case:?} {after:?}");
                // What that costs beyond the default share stays small.
                assert!(
                    parity <= stripe.shards / 16 + SETTLED_EXTRA + BLOCKS + total / 64,
                    "{case:?} {after:?}"
                );
            }
            assert_eq!(
                merges(&after),
                Vec::<Vec<Stripe>>::new(),
                "{case:?} {after:?}"
            );
        }
    }

    #[test]
    fn merging_in_passing_takes_all_that_is_small_and_no_more_memory_than_a_bulk_import() {
        let mut there: Vec<Stripe> = Vec::new();
        let mut merged = 0;
        for id in 0..20_000 {
            // Commits of 64 KiB to 3 MiB, as uploads make them.
            there.push(Stripe {
                id,
                shards: 16 + usize::try_from(id * 7919 % 750).expect("it is small"),
                settled: false,
            });
            let group = crowded(&there);
            if group.len() < 2 {
                continue;
            }
            merged += 1;
            let shards = group.iter().map(|stripe| stripe.shards).sum();
            assert!(shards <= BULK_SHARDS, "{shards}");
            there.retain(|stripe| !group.contains(stripe));
            there.push(Stripe {
                id: 1_000_000 + id,
                shards,
                settled: shards >= SETTLED_SHARDS,
            });
            let left = there.iter().filter(|stripe| !stripe.settled).count();
            assert!(left < 128 + 48 + 1, "{left} small stripes after {id}");
        }
        assert!(merged > 100, "{merged}");
    }
}
