// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Everything that is refused, and that the refusal says what is wrong.

use platen_disk::{
    BootProblem, DiskSpec, FileSpec, LayoutError, MAX_FILE_BYTES, Scheme, TreeProblem, boot_structures, lay_out,
};
use proptest::prelude::*;

use crate::trees::{GIB, MIB, spec};

fn drive() -> DiskSpec {
    spec(Scheme::Mbr, 512, 8 * GIB)
}

fn file(path: &str) -> FileSpec<'_> {
    FileSpec { path, size_bytes: 1, sealed: false, keep_at_bytes: None, modified: None }
}

fn problems(paths: &[&str]) -> Vec<TreeProblem> {
    let files: Vec<_> = paths.iter().map(|path| file(path)).collect();
    match lay_out(&drive(), &files).unwrap_err() {
        LayoutError::Tree { problems } => problems,
        other => panic!("{other}"),
    }
}

fn only(paths: &[&str]) -> TreeProblem {
    let mut problems = problems(paths);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

fn text(of: &str) -> String {
    of.to_owned()
}

#[test]
fn empty_components() {
    for path in ["", "/", "/a", "a/", "a//b", "a/b/"] {
        let found = problems(&[path]);
        assert!(found.contains(&TreeProblem::EmptyComponent { path: text(path) }), "{path:?}: {found:?}");
    }
}

#[test]
fn dot_components() {
    for (path, component) in [(".", "."), ("..", ".."), ("./a", "."), ("a/../b", ".."), ("a/.", ".")] {
        assert_eq!(only(&[path]), TreeProblem::DotComponent { path: text(path), component: text(component) });
    }
}

#[test]
fn forbidden_characters() {
    for character in "\"*:<>?|\\\0\u{1}\u{1f}\u{7f}\u{85}\u{ffff}\u{fffe}\u{fdd0}\u{1ffff}".chars() {
        let path = format!("a/b{character}c/d");
        let component = format!("b{character}c");
        assert_eq!(only(&[&path]), TreeProblem::ForbiddenCharacter { path, component, character });
    }
    let said = only(&["a\nb"]).to_string();
    assert!(!said.contains('\n'), "{said}");
}

#[test]
fn trailing_dots_and_spaces() {
    for (path, component) in [("a.", "a."), ("a ", "a "), ("b./c", "b."), ("...", "..."), (" /a", " ")] {
        assert_eq!(only(&[path]), TreeProblem::TrailingDotOrSpace { path: text(path), component: text(component) });
    }
}

#[test]
fn names_of_more_than_255_units() {
    for (name, found_units) in [("a".repeat(256), 256), ("한".repeat(256), 256), ("😀".repeat(128), 256)] {
        assert_eq!(only(&[&name]), TreeProblem::NameTooLong { path: name, found_units, limit_units: 255 });
    }
    let longest = ["a".repeat(255), "한".repeat(255), format!("{}a", "😀".repeat(127))];
    let files: Vec<_> = longest.iter().map(|name| file(name)).collect();
    lay_out(&drive(), &files).unwrap();
}

#[test]
fn names_that_are_the_same() {
    let same = |first: &str, second: &str| TreeProblem::SameName { first: text(first), second: text(second) };
    for (first, second) in [("a", "A"), ("d/Ä", "d/ä"), ("x", "x"), ("Σ", "ς")] {
        assert_eq!(only(&[first, second]), same(first, second));
    }
    assert_eq!(only(&["EFI/a", "efi/b"]), same("EFI", "efi"));
    assert_eq!(problems(&["EFI/a", "efi/A"]), [same("EFI", "efi"), same("EFI/a", "efi/A")]);
    assert_eq!(only(&["EFI/a", "efi"]), same("EFI", "efi"));
    assert!(lay_out(&drive(), &[file("a/x"), file("b/x")]).is_ok());
    for (first, second) in [("straße", "STRASSE"), ("ﬁ.x", "FI.X"), ("k", "\u{212a}"), ("é", "e\u{301}"), ("𐐀", "𐐨")]
    {
        assert!(lay_out(&drive(), &[file(first), file(second)]).is_ok(), "{first} {second}");
    }
}

#[test]
fn folders_are_judged_like_files() {
    let with = |folders: &[&str]| {
        let folders = folders.iter().map(|folder| text(folder)).collect();
        lay_out(&DiskSpec { folders, ..drive() }, &[file("a/x")])
    };
    assert_eq!(with(&["a", "b/c", "b/c", "b"]).unwrap().stats.directories, 4);
    for (folder, problem) in [
        ("A", TreeProblem::SameName { first: text("a"), second: text("A") }),
        ("a/x", TreeProblem::FileAndDirectory { file: text("a/x"), below: text("a/x") }),
        ("b?", TreeProblem::ForbiddenCharacter { path: text("b?"), component: text("b?"), character: '?' }),
    ] {
        assert_eq!(with(&[folder]), Err(LayoutError::Tree { problems: vec![problem] }));
    }
}

#[test]
fn a_file_that_is_a_directory_too() {
    let both = |file: &str, below: &str| TreeProblem::FileAndDirectory { file: text(file), below: text(below) };
    assert_eq!(only(&["a/b", "a/b/c/d"]), both("a/b", "a/b/c/d"));
    assert_eq!(only(&["a/b/c/d", "a/b/e", "a/b"]), both("a/b", "a/b/c/d"));
}

#[test]
fn every_problem_is_listed() {
    let long = "n".repeat(300);
    let paths = ["a?/b", "a?/c", "d/e", "D/f", "g.", &long, "d", "ok/fine.txt", "x/..", "a?/B"];
    let files: Vec<_> =
        paths.iter().map(|path| file(path)).chain([FileSpec { size_bytes: 5 << 30, ..file("large") }]).collect();
    let refused = lay_out(&drive(), &files).unwrap_err();
    let LayoutError::Tree { problems } = &refused else { panic!("{refused}") };
    let kinds: Vec<_> = problems.iter().map(|p| format!("{p:?}").split(' ').next().unwrap().to_owned()).collect();
    let expected = [
        "ForbiddenCharacter",
        "SameName",
        "TrailingDotOrSpace",
        "NameTooLong",
        "FileAndDirectory",
        "DotComponent",
        "SameName",
        "FileTooLarge",
    ];
    assert_eq!(kinds, expected);
    let said = refused.to_string();
    assert!(
        said.starts_with("8 problems in the file tree: ") && problems.iter().all(|p| said.contains(&p.to_string())),
        "{said}"
    );
}

#[test]
fn files_of_more_than_32_bits() {
    let large = spec(Scheme::Gpt, 512, 16 * GIB);
    let sized = |size_bytes| lay_out(&large, &[FileSpec { size_bytes, ..file("install.wim") }]);
    assert!(sized(MAX_FILE_BYTES).is_ok());
    for found_bytes in [MAX_FILE_BYTES + 1, u64::MAX] {
        let problem = TreeProblem::FileTooLarge { path: text("install.wim"), found_bytes, limit_bytes: 4_294_967_295 };
        assert_eq!(sized(found_bytes), Err(LayoutError::Tree { problems: vec![problem] }));
    }
}

#[test]
fn directories_of_more_than_65536_entries() {
    // Each of these takes two entries; the directory itself takes two more.
    let paths: Vec<String> = (0..32_768).map(|n| format!("dir/f{n:x}")).collect();
    let files: Vec<_> = paths.iter().map(|path| file(path)).collect();
    let large = spec(Scheme::Mbr, 512, 32 * GIB);
    let problem = TreeProblem::DirectoryTooLarge { path: text("dir"), found_entries: 65_538, limit_entries: 65_536 };
    assert_eq!(lay_out(&large, &files), Err(LayoutError::Tree { problems: vec![problem] }));
    assert!(lay_out(&large, &files[1..]).is_ok());
}

#[test]
fn files_that_do_not_fit() {
    let small = spec(Scheme::Mbr, 512, 64 * MIB);
    let capacity = lay_out(&small, &[]).unwrap().stats.capacity_bytes;
    let sized = |size_bytes| lay_out(&small, &[FileSpec { size_bytes, ..file("a") }]);
    // The root directory takes one cluster and the alignment the rest of its mebibyte.
    let most = capacity - MIB;
    let full = sized(most).unwrap();
    assert_eq!(full.stats.clusters_free, (MIB / 512 - 1) as u32);
    let refused = sized(most + 1).unwrap_err();
    assert_eq!(refused, LayoutError::NoRoom { needed_bytes: capacity + 512, available_bytes: capacity });
    assert!(refused.to_string().contains(&capacity.to_string()), "{refused}");
    // Many files that are right each and far too many together.
    let paths: Vec<String> = (0..2000).map(|n| format!("f{n}")).collect();
    let files: Vec<_> =
        paths.iter().map(|path| FileSpec { size_bytes: MAX_FILE_BYTES, sealed: true, ..file(path) }).collect();
    assert!(
        matches!(lay_out(&small, &files), Err(LayoutError::NoRoom { needed_bytes, .. }) if needed_bytes > 2000 << 32)
    );
}

#[test]
fn drives_that_no_volume_fits() {
    let refused = |sector, size| lay_out(&spec(Scheme::Gpt, sector, size), &[]).unwrap_err();
    assert!(
        matches!(refused(4096, 200 * MIB), LayoutError::BelowMinimum { minimum_bytes, .. } if minimum_bytes > 256 * MIB)
    );
    assert!(matches!(refused(512, 0), LayoutError::BelowMinimum { .. }));
    let of_mbr = lay_out(&spec(Scheme::Mbr, 512, 3 << 40), &[]).unwrap_err();
    assert!(matches!(of_mbr, LayoutError::AboveMaximum { limit_sectors: 4_294_967_295, .. }));
    assert!(matches!(refused(512, GIB + 1), LayoutError::SizeNotWhole { .. }));
    assert!(matches!(refused(2048, GIB), LayoutError::SectorSize { sector_bytes: 2048 }));
}

#[test]
fn boot_records_of_the_other_scheme() {
    let mut mixed = drive();
    mixed.scheme = Scheme::Gpt;
    let problem = BootProblem::PatchedForOtherScheme { expected_lba: 34, found_lba: 1 };
    assert_eq!(lay_out(&mixed, &[]), Err(LayoutError::Boot { problem: problem.clone() }));
    assert_eq!(boot_structures(&mixed), Err(LayoutError::Boot { problem }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_paths_and_sizes_are_laid_out_or_refused(
        tree in prop::collection::vec(("(\\PC|[/./~aA ]){0,40}", any::<u64>(), 0u32..64), 0..30), sector in any::<bool>(),
        size in any::<u64>(), shift in 0u32..40,
    ) {
        let files: Vec<_> = tree.iter().map(|(path, size, shift)| FileSpec { size_bytes: size >> shift, ..file(path) }).collect();
        let sector = if sector { 4096 } else { 512 };
        if let Err(refused) = lay_out(&spec(Scheme::Gpt, sector, size >> shift), &files) {
            prop_assert!(!refused.to_string().is_empty());
        }
        if let Err(refused) = lay_out(&spec(Scheme::Gpt, sector, 16 * GIB), &files) {
            prop_assert!(!refused.to_string().is_empty());
        }
    }
}
