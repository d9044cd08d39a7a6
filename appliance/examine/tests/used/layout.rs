// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A layout on a volume that other programs made and filled in a scattered way: what is read from the places that are found
//! is what was copied there.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use platen_media::Sha256;
use platen_media::placement::Placement;

use crate::exfat;
use crate::fat;
use crate::tools::{Files, Sources, folder, shell, text};

fn find(drive: &Path) -> Result<Placement, String> {
    let file = File::open(drive).unwrap();
    let size_bytes = file.metadata().unwrap().len();
    let found = platen_examine::find_layout(file, size_bytes, 512).unwrap();
    if let Ok(found) = &found {
        assert!(found.is_sound(size_bytes, 512), "{found:?}");
    }
    found
}

/// The bytes of each file, by the places that were found.
fn read(drive: &Path, found: &Placement) -> Files {
    let drive = File::open(drive).unwrap();
    let read = |file: &platen_media::placement::PlacedFile| {
        let mut all = Vec::new();
        for extent in &file.extents {
            let mut bytes = vec![0; extent.len_bytes as usize];
            drive.read_exact_at(&mut bytes, extent.offset_bytes).unwrap();
            all.extend(bytes);
        }
        (file.path.clone(), all)
    };
    found.files.iter().map(read).collect()
}

/// A layout of these sources' files, in a folder of this name.
fn layout(folder: &Path, name: &str, sources: &Sources) -> Files {
    let root = folder.join(name);
    std::fs::create_dir_all(root.join("blobs/sha256")).unwrap();
    let mut files = Files::from([
        ("oci-layout".to_owned(), b"{\"imageLayoutVersion\":\"1.0.0\"}\n".to_vec()),
        ("index.json".to_owned(), vec![b' '; 5000]),
        (format!("blobs/sha256/{}", Sha256::of(&[])), Vec::new()),
    ]);
    let blobs = sources.removed.values().chain(sources.late.values());
    files.extend(blobs.map(|bytes| (format!("blobs/sha256/{}", Sha256::of(bytes)), bytes.clone())));
    files.iter().for_each(|(path, bytes)| std::fs::write(root.join(path), bytes).unwrap());
    // What is no blob is passed over.
    std::fs::write(root.join("blobs/sha256/readme.txt"), "none").unwrap();
    files
}

fn is_scattered(found: &Placement) -> bool {
    found.files.iter().any(|file| file.extents.len() > 2)
}

#[test]
fn a_layout_is_found_on_fat_of_each_kind() {
    for (size_bytes, options) in
        [(8 << 20, "-F 12"), (32 << 20, "-F 16"), (64 << 20, "-F 32 -s 1"), (64 << 20, "-F 16 -S 4096")]
    {
        let (folder, sources) = (folder(), Sources::new(size_bytes, size_bytes as usize / 4));
        let volume = fat::make(folder.path(), "volume.img", size_bytes, options, &sources);
        let expected = layout(folder.path(), "Media for stations", &sources);
        let none = find(&volume).expect_err("none is there yet");
        assert!(none.contains("expected a folder with oci-layout") && none.contains("found none"), "{none}");
        if options.starts_with("-F 32") {
            // `FSI_Nxt_Free` (fatgen103) leads behind everything; without it holes are found.
            shell(folder.path(), "printf '\\2\\0\\0\\0' | dd of=volume.img bs=1 seek=1004 conv=notrunc").expect(0);
        }
        // Into holes.
        let line = "mdel -i volume.img '::/K*[13579].bin' && mcopy -s -i volume.img 'Media for stations' ::/";
        shell(folder.path(), line).expect(0);
        let found = find(&volume).expect(options);
        assert_eq!(found.name, "the whole drive, folder Media for stations");
        assert!(read(&volume, &found) == expected, "{options}");
        assert!(is_scattered(&found), "control: {options}");

        // In the root as well: nobody can say which is meant.
        shell(folder.path(), "cd 'Media for stations' && mcopy -s -i ../volume.img oci-layout index.json blobs ::/")
            .expect(0);
        let two = find(&volume).expect_err("two are there");
        assert!(two.contains("expected one layout, found the whole drive and the whole drive, folder"), "{two}");
        shell(folder.path(), "mdeltree -i volume.img '::/Media for stations'").expect(0);
        let found = find(&volume).expect(options);
        assert_eq!(found.name, "the whole drive");
        assert!(read(&volume, &found) == expected, "{options}");
    }
}

#[test]
fn a_layout_is_found_on_exfat() {
    if !exfat::can_mount() {
        return;
    }
    for options in ["", "-c 512"] {
        let (folder, sources) = (folder(), Sources::new(7, 8 << 20));
        let volume = exfat::make(folder.path(), "volume.img", 40 << 20, options, &sources);
        let expected = layout(folder.path(), "Media", &sources);
        exfat::fill(folder.path(), "volume.img", "rm mnt/K*[13579].bin && cp -r Media mnt/").expect(0);
        let found = find(&volume).expect(options);
        assert_eq!(found.name, "the whole drive, folder Media");
        assert!(read(&volume, &found) == expected, "{options}");
        assert!(is_scattered(&found), "control: {options}");
    }
}

/// All its files, wherever they lie; where somebody put a layout beside it, that is what is meant.
#[test]
fn a_written_medium_is_all_files_of_its_volume() {
    let (folder, sources) = (folder(), Sources::new(11, 8 << 20));
    let volume = fat::make(folder.path(), "volume.img", 64 << 20, "-F 32 -s 1", &sources);
    let mut expected = Files::new();
    let names = [
        "EFI/BOOT/BOOTX64.EFI",
        "platen/content/A deep folder/in another/드라이버 straße.inf",
        "SHA256SUMS",
        "platen/empty",
    ];
    for (name, bytes) in names.into_iter().zip(sources.late.values().cloned().chain([Vec::new()])) {
        expected.insert(name.to_owned(), bytes);
    }
    let put = |files: &Files| {
        for (path, bytes) in files {
            let path = folder.path().join("medium").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        shell(folder.path(), "mcopy -s -o -i volume.img medium/* ::/").expect(0);
    };
    put(&expected);
    let none = find(&volume).expect_err("a folder platen makes no medium");
    assert!(none.contains("or a written medium"), "{none}");
    expected.insert("platen/manifest.json".to_owned(), b"{}".to_vec());
    put(&expected);
    let found = find(&volume).expect("found");
    // What the volume was filled with at first is on it as well.
    let files: Files = read(&volume, &found).into_iter().filter(|(path, _)| expected.contains_key(path)).collect();
    let names: Vec<&String> = found.files.iter().map(|file| &file.path).collect();
    assert!(files == expected, "{names:?}");
    assert!(found.files.len() > expected.len());

    let expected = layout(folder.path(), "layout", &sources);
    shell(folder.path(), "mdeltree -i volume.img ::/EFI && mcopy -s -i volume.img layout ::/").expect(0);
    let found = find(&volume).expect("found");
    assert!(found.name.contains("folder layout") && read(&volume, &found) == expected);
}

/// In the second partition; the first has a file system that is not looked into.
#[test]
fn a_layout_is_found_in_a_partition_and_a_broken_one_is_named() {
    let (folder, sources) = (folder(), Sources::new(3, 4 << 20));
    let volume = fat::make(folder.path(), "volume.img", 32 << 20, "-F 16", &sources);
    let expected = layout(folder.path(), "layout", &sources);
    shell(folder.path(), "mcopy -s -i volume.img layout ::/").expect(0);
    let line = "truncate -s 80M drive.img && sgdisk -n 1:1M:+32M -n 2:0:+32M drive.img && truncate -s 32M ext && \
                mke2fs -q ext && dd if=ext of=drive.img bs=1M seek=1 conv=notrunc && \
                dd if=volume.img of=drive.img bs=1M seek=33 conv=notrunc";
    shell(folder.path(), line).expect(0);
    let drive = folder.path().join("drive.img");
    let found = find(&drive).expect("in the second");
    assert_eq!(found.name, "partition 2, folder layout");
    assert!(read(&drive, &found) == expected);

    // The first table is gone: no chain goes anywhere.
    let start = (33 << 20) + found_table(&volume);
    let line = format!("dd if=/dev/zero of='{}' bs=512 count=60 seek={} conv=notrunc", text(&drive), start / 512);
    shell(folder.path(), &line).expect(0);
    let broken = find(&drive).expect_err("without chains");
    assert!(broken.contains("partition 1: it is ext2/3/4; partition 2: "), "{broken}");
    let why = ["the chain of a file is shorter than the file", "leads to a cluster that is none of it"];
    assert!(why.iter().any(|why| broken.contains(why)), "{broken}");
}

/// Where the allocation table begins, in bytes: `BPB_RsvdSecCnt` sectors.
fn found_table(volume: &Path) -> u64 {
    let mut boot = [0; 512];
    File::open(volume).unwrap().read_exact_at(&mut boot, 0).unwrap();
    u64::from(u16::from_le_bytes([boot[14], boot[15]])) * 512
}

/// Updates of an appliance's system lie in the root of a volume, alone or beside a layout; no other file is taken for one.
#[test]
fn updates_are_found_alone_and_beside_a_layout() {
    let (folder, sources) = (folder(), Sources::new(13, 8 << 20));
    let volume = fat::make(folder.path(), "volume.img", 64 << 20, "-F 32 -s 1", &sources);
    let update: Vec<u8> = (0..3_000_001_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(folder.path().join("platen-pc_x86_64-1.5.0.raucb"), &update).unwrap();
    // What has not quite such a name, or is a folder, or lies in one.
    let line = "mdel -i volume.img '::/K*[13579].bin' && printf x > other && mcopy -i volume.img other ::/platen-x.raucb.txt && \
                mcopy -i volume.img other '::/platen-a b.raucb' && mcopy -i volume.img other ::/image.raucb && \
                mmd -i volume.img ::/platen-folder.raucb ::/sub && mcopy -i volume.img other ::/sub/platen-q-1.raucb";
    shell(folder.path(), line).expect(0);
    find(&volume).expect_err("none is there yet");
    // `FSI_Nxt_Free` (fatgen103) leads behind everything; without it holes are found.
    shell(folder.path(), "printf '\\2\\0\\0\\0' | dd of=volume.img bs=1 seek=1004 conv=notrunc").expect(0);
    shell(folder.path(), "mcopy -i volume.img platen-pc_x86_64-1.5.0.raucb ::/PLATEN-pc_x86_64-1.5.0.RAUCB").expect(0);
    let updates = |found: &Placement| Placement { files: found.updates.clone(), ..Placement::default() };
    let is_it = |found: &Placement| {
        let files = read(&volume, &updates(found));
        let (name, bytes) = files.first_key_value().expect("one");
        files.len() == 1 && name.eq_ignore_ascii_case("platen-pc_x86_64-1.5.0.raucb") && *bytes == update
    };
    let found = find(&volume).expect("an update");
    assert!(found.files.is_empty() && is_it(&found), "{found:?}");
    assert!(found.updates[0].extents.len() > 2, "control: it lies in holes");
    let expected = layout(folder.path(), "Media", &sources);
    shell(folder.path(), "mcopy -s -i volume.img Media ::/").expect(0);
    let found = find(&volume).expect("both");
    assert!(read(&volume, &found) == expected && is_it(&found));
}
