// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Layouts after layouts: what did not change stays where it is, and nothing wears out.

use std::cell::Cell;
use std::collections::HashSet;

use platen_disk::{Data, DiskLayout, Scheme, cluster_bytes, lay_out};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::trees::{self, Case, GIB, MIB, TreeFile, folded, name, size, spec};
use crate::{judge, shape};

const GENERATIONS: usize = 20;

/// What happens to a tree between two releases of a medium.
#[derive(Debug, Clone)]
enum Change {
    /// Beside this file.
    Add(Index, (u8, u32), u64),
    Remove(Index),
    Resize(Index, u64),
}

fn change(size: impl Strategy<Value = u64> + Clone) -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => (any::<Index>(), (0u8..18, any::<u32>()), size.clone()).prop_map(|(at, name, size)| Change::Add(at, name, size)),
        1 => any::<Index>().prop_map(Change::Remove),
        2 => (any::<Index>(), size).prop_map(|(at, size)| Change::Resize(at, size)),
    ]
}

fn releases(size: impl Strategy<Value = u64> + Clone) -> impl Strategy<Value = Vec<Vec<Change>>> {
    prop::collection::vec(prop::collection::vec(change(size), 0..10), GENERATIONS)
}

/// What the tree takes with alignment.
fn cost(size: u64) -> u64 {
    size.next_multiple_of(4096) + if size >= MIB { MIB } else { 0 }
}

/// Applies the changes that fit into `room`. What changed its size wants nothing any more.
fn apply(entries: &mut Vec<TreeFile>, changes: &[Change], room: u64) {
    for change in changes {
        let left = room.saturating_sub(entries.iter().map(|e| cost(e.size)).sum());
        let fits = |size: u64| cost(size) <= left;
        match change {
            Change::Add(beside, (kind, n), size) if fits(*size) => {
                let beside = entries.get(beside.index(entries.len().max(1)));
                let folder = beside.and_then(|e| e.path.rsplit_once('/')).map_or("", |(folder, _)| folder);
                let name = name(*kind, *n);
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                let mut taken = HashSet::new();
                for entry in &*entries {
                    let ends = entry.path.match_indices('/').map(|(at, _)| at).chain([entry.path.len()]);
                    taken.extend(ends.map(|end| folded(&entry.path[..end])));
                }
                if !taken.contains(&folded(&path)) {
                    entries.push(TreeFile::new(path, *size));
                }
            }
            Change::Remove(at) if !entries.is_empty() => {
                entries.remove(at.index(entries.len()));
            }
            Change::Resize(at, size) if !entries.is_empty() && fits(*size) => {
                let at = at.index(entries.len());
                entries[at].size = *size;
                entries[at].keep_at = None;
            }
            Change::Add(..) | Change::Remove(_) | Change::Resize(..) => {}
        }
    }
}

fn places(case: &Case, layout: &DiskLayout) -> Vec<Option<u64>> {
    let mut places = vec![None; case.entries.len()];
    for extent in layout.payload.iter().chain(&layout.seal) {
        if let Data::File { index, .. } = extent.data {
            places[index as usize] = Some(extent.offset_bytes);
        }
    }
    places
}

/// Everything wants to stay where this layout has it.
fn stay_at(case: &mut Case, layout: &DiskLayout) {
    let places = places(case, layout);
    case.entries.iter_mut().zip(places).for_each(|(entry, place)| entry.keep_at = place);
}

/// Where directories end.
fn front(case: &Case, layout: &DiskLayout) -> u64 {
    let cluster = u64::from(layout.stats.cluster_bytes);
    assert_eq!(cluster_bytes(&case.spec).unwrap(), layout.stats.cluster_bytes);
    let in_files: u64 = case.entries.iter().map(|e| e.size.div_ceil(cluster)).sum();
    layout.stats.data_start_bytes + (u64::from(layout.stats.clusters_used) - in_files) * cluster
}

fn plainly(case: &Case) -> Case {
    let mut plain = case.clone();
    plain.entries.iter_mut().for_each(|e| e.keep_at = None);
    plain
}

/// All that were asked to stay did, but those the directories have grown over; or nothing was promised at all, because
/// something found no place.
fn stays(case: &Case, layout: &DiskLayout) -> bool {
    let front = front(case, layout);
    let moved =
        case.entries.iter().zip(places(case, layout)).filter(|(file, place)| {
            file.size > 0 && file.keep_at.is_some_and(|at| at >= front) && file.keep_at != *place
        });
    match moved.count() {
        0 => true,
        moved => {
            assert_eq!(
                *layout,
                lay_out(&plainly(case).spec, &plainly(case).files()).unwrap(),
                "{moved} moved\n{case:?}"
            );
            false
        }
    }
}

/// Each release is laid out over the one before. Returns in how many of them everything stayed that could.
fn update(first: &Case, releases: &[Vec<Change>], room: u64, look: impl Fn(usize, &Case)) -> usize {
    let mut case = first.clone();
    let mut stayed = 0;
    for (generation, changes) in releases.iter().enumerate() {
        let before = lay_out(&case.spec, &case.files()).unwrap();
        stay_at(&mut case, &before);
        apply(&mut case.entries, changes, room);
        match lay_out(&case.spec, &case.files()) {
            Ok(layout) => stayed += usize::from(stays(&case, &layout)),
            Err(refused) => {
                let plain = lay_out(&case.spec, &plainly(&case).files());
                panic!("{refused}; without wishes: {:?}\n{case:?}", plain.map(|layout| layout.stats));
            }
        }
        look(generation, &case);
    }
    stayed
}

fn with_room(scheme: Scheme) {
    let strategy = (trees::case(scheme), releases(size()));
    trees::run(scheme, 16, &strategy, |(first, releases)| {
        let stayed = update(first, releases, 24 * MIB, |generation, case| {
            shape::promises(case);
            if generation % 7 == 6 || generation + 1 == GENERATIONS {
                judge(case);
            }
        });
        assert_eq!(stayed, GENERATIONS, "there is room for all to stay");
    });
}

#[test]
fn mbr_trees_change_and_what_did_not_stays() {
    with_room(Scheme::Mbr);
}

#[test]
fn gpt_trees_change_and_what_did_not_stays() {
    with_room(Scheme::Gpt);
}

/// Drives that are nearly full: now and then a file finds no place between those that stay.
#[test]
fn full_drives_never_wear_out() {
    let size = prop_oneof![1 => 0u64..200_000, 1 => MIB / 2..3 * MIB, 2 => 3 * MIB..14 * MIB];
    let full = Case { spec: spec(Scheme::Mbr, 512, 64 * MIB), entries: Vec::new() };
    let (stayed, tried) = (Cell::new(0), Cell::new(0));
    trees::run(Scheme::Mbr, 1, &releases(size), |releases| {
        let last = Cell::new(None);
        stayed.set(
            stayed.get()
                + update(&full, releases, 60 * MIB, |_, case| {
                    shape::promises(case);
                    last.set(Some(case.clone()));
                }),
        );
        tried.set(tried.get() + releases.len());
        if tried.get() % (32 * GENERATIONS) == 0 {
            judge(&last.take().unwrap());
        }
    });
    let (stayed, tried) = (stayed.get(), tried.get());
    println!("{stayed} of {tried} times everything stayed");
    assert!(stayed < tried, "some had to be laid out anew");
    assert!(stayed > tried / 2, "{stayed} of {tried}");
}

/// Wishes at random: to the same place, over directories, off the clusters, off the drive.
#[test]
fn wishes_may_be_nonsense() {
    let wish = (0u8..8, any::<u64>());
    let strategy = (trees::case(Scheme::Gpt), prop::collection::vec(wish, 300));
    let granted = Cell::new(0);
    trees::run(Scheme::Gpt, 4, &strategy, |(case, wishes)| {
        let mut case = case.clone();
        let plain = lay_out(&case.spec, &case.files()).unwrap();
        let (start, cluster) = (plain.stats.data_start_bytes, u64::from(plain.stats.cluster_bytes));
        let clusters = u64::from(plain.stats.clusters);
        for (entry, &(kind, n)) in case.entries.iter_mut().zip(wishes) {
            entry.keep_at = match kind {
                0 => None,
                1 => Some(n),
                2 => Some(start + n % clusters * cluster + 512),
                3 => Some(start + (clusters - 1 - n % 4) * cluster),
                4 => Some((start + n % 40 * cluster).saturating_sub(10 * cluster)),
                5 => Some((start + n % (clusters * cluster)) / MIB * MIB),
                6 => Some(start + 1000 * cluster),
                _ => Some(start + n % 20_000 * cluster),
            };
        }
        shape::promises(&case);
        let layout = lay_out(&case.spec, &case.files()).unwrap();
        let kept =
            case.entries.iter().zip(places(&case, &layout)).filter(|(e, place)| place.is_some() && e.keep_at == *place);
        let kept = kept.count();
        granted.set(granted.get() + kept);
        // What is beyond is far, and reading it back takes its time.
        if kept > 0 && case.spec.size_bytes < GIB {
            judge(&case);
        }
    });
    println!("{} wishes granted", granted.get());
    assert!(granted.get() > 100);
}

#[test]
fn what_is_laid_out_where_it_is_stays_byte_for_byte() {
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        trees::for_each(scheme, |case| {
            let plain = lay_out(&case.spec, &case.files()).unwrap();
            let mut again = case.clone();
            stay_at(&mut again, &plain);
            assert_eq!(lay_out(&again.spec, &again.files()).unwrap(), plain);
        });
    }
}

#[test]
fn the_first_of_two_wishes_for_one_place_is_granted() {
    let mut case = Case { spec: spec(Scheme::Mbr, 512, 64 * MIB), entries: Vec::new() };
    let start = lay_out(&case.spec, &[]).unwrap().stats.data_start_bytes;
    let wishes = [("first", 5000, 9 * MIB), ("behind", 5000, 9 * MIB + 4608), ("before", 5000, 9 * MIB - 5120)];
    for (path, size, at) in wishes {
        case.entries.push(TreeFile { keep_at: Some(at), ..TreeFile::new(path, size) });
    }
    case.entries.push(TreeFile::new("new", 600));
    case.entries.push(TreeFile::new("large", MIB));
    let layout = lay_out(&case.spec, &case.files()).unwrap();
    // The root directory is one cluster, the first mebibyte boundary after it where the large one goes.
    let expected = [9 * MIB, start + 512, 9 * MIB - 5120, start + 512 + 5120, start + MIB];
    assert_eq!(places(&case, &layout), expected.map(Some));
    judge(&case);
}

/// A drive of which most is free, with one file at its end: what the table says in between is not kept in memory.
#[test]
fn a_file_far_away_costs_little() {
    let spec = spec(Scheme::Mbr, 512, 2000 * GIB);
    let end = lay_out(&spec, &[]).unwrap().stats;
    let at = end.data_start_bytes + end.capacity_bytes - MIB;
    let case = Case { spec, entries: vec![TreeFile { keep_at: Some(at), ..TreeFile::new("far", MIB) }] };
    shape::promises(&case);
    let layout = lay_out(&case.spec, &case.files()).unwrap();
    assert_eq!(places(&case, &layout), [Some(at)]);
    assert!(layout.stats.metadata_bytes < 20 * MIB, "{:?}", layout.stats);
}
