// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a layout promises about itself, on the same generated trees; no judge needed.

use std::ops::Range;

use platen_disk::{
    ALIGN_BYTES, Data, DiskLayout, Extent, MAX_BYTES_EXTENT, READ_IDS_BYTES, Scheme, boot_structures, lay_out, read_ids,
};
use proptest::prelude::*;

use crate::trees::{self, Case, MIB};

#[test]
fn mbr_layouts_keep_their_promises() {
    trees::for_each(Scheme::Mbr, promises);
}

#[test]
fn gpt_layouts_keep_their_promises() {
    trees::for_each(Scheme::Gpt, promises);
}

pub(crate) fn promises(case: &Case) {
    let files = case.files();
    let layout = lay_out(&case.spec, &files).unwrap();
    assert_eq!(layout, lay_out(&case.spec, &files).unwrap(), "the same twice");
    assert_eq!(layout.stats.clusters_free, layout.stats.clusters - layout.stats.clusters_used);
    extents_are_sorted(&layout);
    everything_due_is_covered(case, &layout);
    files_are_contiguous_and_aligned(case, &layout);
    the_seal_set_is_as_promised(case, &layout);
    structures_are_in_the_layout(case, &layout);
    ids_read_back(case, &layout);
}

/// Runs of adjacent extents.
fn runs<'a>(extents: impl Iterator<Item = &'a Extent>) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for extent in extents {
        match runs.last_mut() {
            Some(last) if last.end == extent.offset_bytes => last.end = extent.end_bytes(),
            _ => runs.push(extent.offset_bytes..extent.end_bytes()),
        }
    }
    runs
}

fn merged(layout: &DiskLayout) -> Vec<Extent> {
    let mut all: Vec<Extent> = layout.payload.iter().chain(&layout.seal).cloned().collect();
    all.sort_by_key(|e| e.offset_bytes);
    all
}

fn extents_are_sorted(layout: &DiskLayout) {
    for list in [&layout.payload, &layout.seal, &merged(layout)] {
        assert!(list.windows(2).all(|two| two[0].end_bytes() <= two[1].offset_bytes));
        for extent in list {
            assert_ne!(extent.len_bytes, 0);
            if let Data::Bytes(bytes) = &extent.data {
                assert!(bytes.len() as u64 == extent.len_bytes && extent.len_bytes <= MAX_BYTES_EXTENT);
            }
        }
    }
}

fn everything_due_is_covered(case: &Case, layout: &DiskLayout) {
    let sector = u64::from(case.spec.sector_bytes);
    for list in [&layout.payload, &layout.seal] {
        assert!(runs(list.iter()).iter().all(|r| r.start.is_multiple_of(sector) && r.end.is_multiple_of(sector)));
    }
    let mut all = runs(merged(layout).iter());
    let partition_end = layout.stats.partition_start_bytes + layout.stats.partition_len_bytes;
    if let Some(last) = all.pop_if(|last| last.start < partition_end) {
        // The last cluster is in use.
        all.extend([last.start..partition_end, partition_end..last.end]);
    }
    let cluster = u64::from(layout.stats.cluster_bytes);
    assert_eq!(layout.stats.data_start_bytes % MIB, 0);
    // One run over gap, reserved sectors, FATs and directories; whole clusters; one run after the partition.
    assert!(all[0].start == 0 && all[0].end > layout.stats.data_start_bytes);
    assert_eq!(all.last(), Some(&(partition_end..case.spec.size_bytes)));
    let (first, between) = (&all[0], &all[1..all.len() - 1]);
    assert!(
        between
            .iter()
            .all(|r| r.end <= partition_end && r.start.is_multiple_of(cluster) && r.end.is_multiple_of(cluster))
    );
    let in_clusters = first.end - layout.stats.data_start_bytes + between.iter().map(|r| r.end - r.start).sum::<u64>();
    assert_eq!(in_clusters, u64::from(layout.stats.clusters_used) * cluster);
    for range in &layout.invalidate {
        assert!(range.start.is_multiple_of(sector) && range.end.is_multiple_of(sector));
        assert!(all.iter().any(|run| run.start <= range.start && range.end <= run.end), "{range:?}");
    }
    let [gap, reserved, tail] = &layout.invalidate[..] else { panic!("{:?}", layout.invalidate) };
    assert!(*gap == (0..MIB) && reserved.start == MIB && reserved.end >= MIB + 32 * sector);
    assert!(tail.end == case.spec.size_bytes && tail.end - tail.start >= MIB);
}

fn files_are_contiguous_and_aligned(case: &Case, layout: &DiskLayout) {
    let mut places = vec![None; case.entries.len()];
    let mut last = layout.stats.data_start_bytes;
    for extent in merged(layout) {
        if let Data::File { index, offset_bytes: 0 } = extent.data {
            let file = &case.entries[index as usize];
            assert_eq!((extent.len_bytes, places[index as usize].replace(extent.offset_bytes)), (file.size, None));
            assert!(file.size < MIB || extent.offset_bytes.is_multiple_of(MIB));
        }
    }
    let wishes = case.entries.iter().any(|file| file.keep_at.is_some());
    for (file, place) in case.entries.iter().zip(places) {
        assert_eq!(place.is_some(), file.size > 0);
        if let Some(place) = place {
            assert!(place >= last || wishes, "in the order given");
            last = place + file.size;
        }
    }
}

fn the_seal_set_is_as_promised(case: &Case, layout: &DiskLayout) {
    let sector = u64::from(case.spec.sector_bytes);
    let size = case.spec.size_bytes;
    let mut expected = match case.spec.scheme {
        Scheme::Mbr => vec![(0, sector)],
        Scheme::Gpt => vec![(0, 2 * sector + 16_384), (size - sector - 16_384, size)],
    };
    expected.push((MIB, MIB + sector));
    expected.push((MIB + 6 * sector, MIB + 7 * sector));
    for extent in merged(layout) {
        if let Data::File { index, .. } = extent.data
            && case.entries[index as usize].sealed
        {
            let cluster = u64::from(layout.stats.cluster_bytes);
            expected.push((extent.offset_bytes, extent.end_bytes().next_multiple_of(cluster)));
        }
    }
    expected.sort_unstable();
    let mut joined: Vec<Range<u64>> = Vec::new();
    for (start, end) in expected {
        match joined.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => joined.push(start..end),
        }
    }
    assert_eq!(runs(layout.seal.iter()), joined);
}

fn structures_are_in_the_layout(case: &Case, layout: &DiskLayout) {
    let structures = boot_structures(&case.spec).unwrap();
    for structure in &structures {
        let list = if structure.sealed { &layout.seal } else { &layout.payload };
        assert!(list.contains(&structure.extent), "{}", structure.name);
    }
    let names: Vec<_> = structures.iter().map(|s| s.name).collect();
    let core = case.spec.boot.is_some() && case.spec.sector_bytes == 512;
    assert_eq!(names.contains(&"grub core image"), core);
    assert_eq!(names.len(), [5, 9][case.spec.scheme as usize] + usize::from(core));
}

fn head(layout: &DiskLayout) -> Vec<u8> {
    let mut head = vec![0xd1; READ_IDS_BYTES];
    for extent in merged(layout).iter().filter(|e| e.end_bytes() <= READ_IDS_BYTES as u64) {
        let place = &mut head[extent.offset_bytes as usize..extent.end_bytes() as usize];
        match &extent.data {
            Data::Bytes(bytes) => place.copy_from_slice(bytes),
            _ => place.fill(0),
        }
    }
    head
}

fn ids_read_back(case: &Case, layout: &DiskLayout) {
    let spec = &case.spec;
    let record = read_ids(&head(layout)).unwrap();
    assert_eq!((record.scheme, record.sector_bytes, record.label), (spec.scheme, spec.sector_bytes, spec.label));
    assert_eq!(record.volume_bytes, layout.stats.partition_len_bytes);
    let again = record.spec(spec.size_bytes, spec.modified, spec.boot.clone());
    assert_eq!(boot_structures(&again).unwrap(), boot_structures(spec).unwrap());
}

fn written_head(scheme: Scheme, sector_bytes: u32) -> Vec<u8> {
    head(&lay_out(&trees::spec(scheme, sector_bytes, 1 << 30), &[]).unwrap())
}

#[test]
fn ids_of_a_drive_without_its_seal_are_not_read() {
    for (scheme, sector_bytes) in [(Scheme::Mbr, 512), (Scheme::Gpt, 512), (Scheme::Mbr, 4096), (Scheme::Gpt, 4096)] {
        let whole = written_head(scheme, sector_bytes);
        assert!(read_ids(&whole).is_some());
        let sector = sector_bytes as usize;
        let mut seals = vec![0..sector, MIB as usize..MIB as usize + sector];
        if scheme == Scheme::Gpt {
            seals.extend([sector..2 * sector, 2 * sector..2 * sector + 16_384]);
        }
        for seal in seals {
            let mut without = whole.clone();
            without[seal].fill(0);
            assert_eq!(read_ids(&without), None);
        }
        for len in [0, 1, 511, 512, 4096, MIB as usize, MIB as usize + 500] {
            assert_eq!(read_ids(&whole[..len]), None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ids_of_any_bytes_are_read_without_a_panic(
        noise in prop::collection::vec(any::<u8>(), 0..9000), len in 0usize..READ_IDS_BYTES + 1, at in 0usize..READ_IDS_BYTES,
    ) {
        let mut bytes = vec![0x55; len];
        for (to, from) in bytes.iter_mut().skip(at % (len + 1)).zip(&noise) {
            *to = *from;
        }
        prop_assert_eq!(read_ids(&bytes), None);
        prop_assert_eq!(read_ids(&noise), None);
    }

    #[test]
    fn ids_of_a_damaged_drive_lead_to_a_spec_that_can_be_refused(
        gpt in any::<bool>(), large in any::<bool>(), damage in prop::collection::vec((any::<bool>(), 0usize..1200, any::<u8>()), 1..40),
        size in any::<u64>(),
    ) {
        let mut bytes = written_head(if gpt { Scheme::Gpt } else { Scheme::Mbr }, if large { 4096 } else { 512 });
        for (behind, at, value) in damage {
            bytes[at + if behind { ALIGN_BYTES as usize } else { 0 }] = value;
        }
        if let Some(record) = read_ids(&bytes) {
            // Whatever was read: an error or structures, never a panic.
            let _ = boot_structures(&record.spec(size, trees::spec(Scheme::Mbr, 512, 0).modified, None));
        }
    }
}
