// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! ext2, ext3 and ext4 by mke2fs, filled by debugfs, judged by e2fsck.

use std::path::{Path, PathBuf};

use crate::copy::{Volume, allocation, judge_alone, region};
use crate::tools::{Files, Sources, blank, difference, finds_nothing, folder, number_after, read_files, shell, text};

/// Make a volume and fill it.
pub(crate) fn make(folder: &Path, name: &str, size_bytes: u64, options: &str, sources: &Sources) -> PathBuf {
    let volume = folder.join(name);
    blank(&volume, size_bytes);
    sources.write(folder);
    let base = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let writes = sources.in_turn().into_iter().map(|path| format!("write {path} {}", base(&path)));
    let removes = sources.removed.keys().map(|name| format!("rm {name}"));
    let late = sources.late.keys().map(|name| format!("write late/{name} {name}"));
    let script: Vec<String> = writes.chain(removes).chain(late).collect();
    std::fs::write(folder.join("script"), script.join("\n") + "\n").unwrap();
    shell(folder, &format!("mke2fs -q -F {options} {name} && debugfs -w -f script {name}")).expect(0);
    shell(folder, &format!("e2fsck -fn {name}")).expect(0);
    volume
}

pub(crate) fn judge(volume: &Path, expected: &Files) -> Result<(), String> {
    let folder = folder();
    finds_nothing(&shell(folder.path(), &format!("e2fsck -fn '{}'", text(volume))))?;
    let dumps: Vec<String> = expected.keys().map(|name| format!("dump {name} {name}\n")).collect();
    std::fs::write(folder.path().join("script.txt"), dumps.concat()).unwrap();
    shell(folder.path(), &format!("debugfs -f script.txt '{}'", text(volume)));
    difference(expected, &read_files(folder.path()))
}

pub(crate) fn counted_bytes(volume: &Path) -> u64 {
    let said = shell(Path::new("/"), &format!("dumpe2fs -h '{}'", text(volume))).expect(0).stdout;
    let number = |words| number_after(&said, words);
    (number("Block count:") - number("Free blocks:")) * number("Block size:")
}

#[test]
fn ext_of_each_kind_is_copied_by_its_bitmaps() {
    for (options, content) in [
        ("-t ext2 -b 1024", "ext2"),
        ("-t ext2 -b 4096 -O ^sparse_super,^resize_inode", "ext2"),
        ("-t ext2 -r 0 -O none -b 1024", "ext2"),
        ("-t ext3 -b 1024", "ext3"),
        ("-t ext4 -b 1024", "ext4"),
        ("-t ext4 -b 4096", "ext4"),
        ("-t ext4 -b 4096 -O ^has_journal", "ext4"),
        ("-t ext4 -b 4096 -O bigalloc -C 65536", "ext4"),
        ("-t ext4 -b 1024 -O bigalloc -C 16384", "ext4"),
        ("-t ext4 -b 1024 -g 256 -O meta_bg,^resize_inode", "ext4"),
        ("-t ext4 -b 1024 -g 256 -O meta_bg,64bit,^resize_inode,^flex_bg", "ext4"),
        ("-t ext4 -b 1024 -O 64bit,sparse_super2 -g 1024", "ext4"),
        ("-t ext4 -b 4096 -O ^metadata_csum,uninit_bg,^64bit", "ext4"),
        ("-t ext4 -b 4096 -O ^metadata_csum,^uninit_bg", "ext4"),
        ("-t ext4 -b 4096 -O metadata_csum_seed,verity,casefold,ea_inode", "ext4"),
        ("-t ext4 -b 1024 -O ^64bit,metadata_csum -E lazy_itable_init=1", "ext4"),
    ] {
        println!("{options}");
        // With a last group, and a last cluster, that are not whole.
        let (folder, sources) = (folder(), Sources::new(options.len() as u64, 10 << 20));
        let path = make(folder.path(), "volume.img", (40 << 20) + 11 * 4096, options, &sources);
        let (expected, counted_bytes) = (sources.there(), counted_bytes(&path));
        // Up to two blocks of descriptors for each meta block group are kept, and what is behind the last block.
        let judge = |volume: &Path| judge(volume, &expected);
        judge_alone(&Volume { path, content, counted_bytes, allowance_bytes: 64 << 10, judge: &judge }, &sources);
    }
}

#[test]
fn an_ext_that_was_not_left_in_order_is_copied_whole() {
    let (folder, sources) = (folder(), Sources::new(5, 4 << 20));
    let path = make(folder.path(), "volume.img", 40 << 20, "-t ext4 -b 1024 -O ^metadata_csum", &sources);
    let good = std::fs::read(&path).unwrap();
    let used = allocation(&path);
    assert!(used.used_bytes() < good.len() as u64 / 2, "control: {:?}", used.regions);
    for (lines, why) in [
        ("feature needs_recovery", "journal"),
        ("ssv state 0", "unmounted"),
        ("ssv state 3", "had errors"),
        ("feature FEATURE_I20", "not known"),
        ("feature FEATURE_R20", "not known"),
        ("ssv blocks_count 50000", "larger than its partition"),
        ("freeb 20000 1\\nset_bg 1 free_blocks_count 3", "not what the group says"),
        ("set_bg 2 block_bitmap 60000", "outside"),
    ] {
        std::fs::write(&path, &good).unwrap();
        shell(folder.path(), &format!("printf '{lines}\\n' | debugfs -w -f - volume.img")).expect(0);
        let used = allocation(&path);
        let region = region(&used, "the whole drive");
        assert!(region.whole_because.as_ref().is_some_and(|said| said.contains(why)), "{lines}: {region:?}");
        assert_eq!(used.used_bytes(), good.len() as u64);
    }
}
