// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is read of the medium: as often as it should be, and nothing that was changed.

use platen_media::piece_tree::{PIECE_BYTES, PieceTree};

use super::*;

#[test]
fn a_changed_byte_stops_before_the_step_that_would_use_it() {
    for (file, step) in [
        ("platen/content/OS1/install2.swm", "Apply"),
        ("platen/content/DRV1/net.ko", "Drivers"),
        ("platen/content/APP2/app.sh", "Setup"),
        ("EFI/BOOT/BOOTX64.EFI", "Start from the disk"),
    ] {
        // No step may be forgiven that.
        let forgiving = "continue-on-error = true\n        type = \"Apply Driver Package\"";
        let text = installation(REST).replace("type = \"Apply Driver Package\"", forgiving);
        let mut bench = Bench::new(&text);
        let path = bench.medium.folder.path().join(file);
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes[0] ^= 1;
        std::fs::write(&path, bytes).expect("writes");
        let mut machine = bench.machine();
        with_init(&mut machine);
        let end = bench.try_boot_system(&mut machine);
        assert!(matches!(&end, Err(EngineError::Medium { path, .. }) if path == step), "{end:?}");
        let last = bench.lines.0.last().expect("a line");
        assert!(last.contains(file) && last.contains("content changed"), "{last}");
        assert_eq!(machine.boots, None, "half a system does not start");
        let changed = machine.folder_of(&Machine::volumes(&machine)[0]).join("_SMSTaskSequence/Packages/APP2");
        assert!(step != "Setup" || !changed.exists(), "nothing of it is left");
    }
}

/// A medium whose image is of several pieces, with the tree that its author would write or without, and what its files are.
fn with_pieces(has_tree: bool) -> (Bench, [&'static str; 2]) {
    let image: String = ('a'..='z').cycle().take(3 * PIECE_BYTES + 5).collect();
    let tree = PieceTree::of(image.as_bytes());
    let place = PieceTree::path(image.len() as u64, tree.root()).expect("several pieces");
    // The folder of a test is of texts.
    let mut bench = Bench::of(Medium::with(&installation(REST), &[("OS1/large.swm", &image)], &[]), computer());
    let image = bench.medium.policy.operating_system_image.as_mut().expect("an image");
    (image.path, image.parts) = (MediaPath::new("platen/content/OS1/large.swm").expect("valid"), 1);
    if has_tree {
        let (bytes, to) = (tree.to_bytes(), bench.medium.folder.path().join(place.as_str()));
        std::fs::create_dir_all(to.parent().expect("a folder"))
            .and_then(|()| std::fs::write(to, &bytes))
            .expect("writes");
        bench.medium.manifest.files.push(FileRecord {
            size_bytes: bytes.len() as u64,
            blake3: Blake3::of(&bytes),
            path: place.clone(),
            ..bench.medium.manifest.files[0].clone()
        });
    }
    (bench, ["platen/content/OS1/large.swm", place.to_string().leak()])
}

#[test]
fn an_image_in_pieces_is_read_once_and_one_of_an_earlier_version_twice() {
    for (has_tree, times) in [(true, 1), (false, 2)] {
        let (mut bench, _) = with_pieces(has_tree);
        let mut machine = bench.machine();
        with_init(&mut machine);
        assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk, "{:#?}", bench.lines.0);
        let read_before = if has_tree { 0 } else { 3 * PIECE_BYTES as u64 + 5 };
        assert_eq!(bench.lines.3, read_before, "checking was shown for what was read before");
        assert_eq!(read_before + machine.read_bytes, times * (3 * PIECE_BYTES as u64 + 5));
    }
}

#[test]
fn a_changed_piece_or_tree_ends_the_sequence_whatever_it_forgives() {
    let forgiving = "continue-on-error = true\n        type = \"Apply Operating System Image\"";
    let change = |bench: &Bench, file: &str, at: usize| {
        let path = bench.medium.folder.path().join(file);
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).expect("writes");
    };
    for (has_tree, which, at) in [(true, 0, 2 * PIECE_BYTES), (true, 1, 40), (true, 1, 3), (false, 0, 2 * PIECE_BYTES)]
    {
        let (mut bench, files) = with_pieces(has_tree);
        let text = installation(REST).replace("type = \"Apply Operating System Image\"", forgiving);
        bench.medium.sequence = sequence(&text);
        change(&bench, files[which], at);
        let mut machine = bench.machine();
        with_init(&mut machine);
        let end = bench.try_boot_system(&mut machine);
        assert!(matches!(&end, Err(EngineError::Medium { path, .. }) if path == "Apply"), "{end:?}");
        let last = bench.lines.0.last().expect("a line");
        assert!(last.contains(files[which]) && last.contains("content changed"), "{last}");
        assert_eq!(machine.boots, None);
    }
}

#[test]
fn a_tree_of_a_later_form_is_passed_over() {
    let (mut bench, [_, tree]) = with_pieces(true);
    let path = bench.medium.folder.path().join(tree);
    let mut bytes = std::fs::read(&path).expect("reads");
    bytes[12] = b'2';
    std::fs::write(&path, &bytes).expect("writes");
    bench.medium.manifest.files.last_mut().expect("the tree").blake3 = Blake3::of(&bytes);
    let mut machine = bench.machine();
    with_init(&mut machine);
    assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk, "{:#?}", bench.lines.0);
    assert_eq!(bench.lines.3, 3 * PIECE_BYTES as u64 + 5, "it was read as a whole");
}
