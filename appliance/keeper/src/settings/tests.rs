// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::cell::Cell;

use super::*;

fn played() -> (tempfile::TempDir, Places) {
    let folder = tempfile::tempdir().expect("a folder");
    let places = Places::below(folder.path());
    put(&places.image_settings(), &[("station.toml", "image"), ("ports.toml", "image"), ("keys/image.pub", "image")]);
    fs::create_dir_all(places.station_data()).expect("made");
    (folder, places)
}

fn map(places: &Places) -> String {
    fs::read_to_string(places.station_data().join(MAP)).expect("a map")
}

fn put(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
}

fn found(places: &Places, name: &str) -> Option<String> {
    fs::read_to_string(places.settings().join(name)).ok()
}

#[test]
fn what_was_brought_takes_the_place_of_the_image_s() {
    let (_folder, places) = played();
    let brought = [
        ("station.toml", "brought"),
        ("keys/OURS.PUB", "brought"),
        ("keys/image.pub", "brought"),
        ("keys/secret.key", "none of ours"),
        ("board.toml", "none of ours"),
    ];
    put(&places.brought_settings(), &brought);
    prepare(&places, &|| Ok(())).expect("made");
    let names = ["station.toml", "ports.toml", "keys/OURS.pub", "keys/image.pub", "keys/secret.key", "board.toml"];
    let found = names.map(|name| found(&places, name));
    let expected = [Some("brought"), Some("image"), Some("brought"), Some("brought"), None, None];
    assert_eq!(found, expected.map(|text| text.map(str::to_owned)));
}

#[test]
fn what_the_station_does_not_take_is_left_out_as_a_whole() {
    let (_folder, places) = played();
    put(&places.brought_settings(), &[("station.toml", "wrong"), ("keys/ours.pub", "brought")]);
    let asked = Cell::new(0);
    let check = || {
        asked.set(asked.get() + 1);
        Err(KeeperError::program("platend", "it is wrong"))
    };
    prepare(&places, &check).expect("made");
    assert_eq!((found(&places, "station.toml").as_deref(), found(&places, "keys/ours.pub")), (Some("image"), None));
    assert_eq!(asked.get(), 1);
}

#[test]
fn without_anything_brought_nobody_is_asked() {
    let (_folder, places) = played();
    prepare(&places, &|| panic!("asked")).expect("made");
    assert_eq!(found(&places, "ports.toml").as_deref(), Some("image"));
    // Made anew at each start: what is gone from the boot partition is gone here.
    put(&places.settings(), &[("keys/old.pub", "old")]);
    prepare(&places, &|| panic!("asked")).expect("made");
    assert_eq!(found(&places, "keys/old.pub"), None);
}

#[test]
fn what_can_t_be_read_or_is_too_long_is_left_out() {
    let (_folder, places) = played();
    put(&places.brought_settings(), &[("station.toml", &"x".repeat(1024 * 1024 + 1)), ("ports.toml/folder", "x")]);
    prepare(&places, &|| Ok(())).expect("made");
    assert_eq!(found(&places, "station.toml").as_deref(), Some("image"));
    assert_eq!(found(&places, "ports.toml").as_deref(), Some("image"));
}

#[test]
fn a_map_that_was_learnt_stays_until_another_is_brought() {
    let (_folder, places) = played();
    prepare(&places, &|| Ok(())).expect("made");
    assert_eq!(map(&places), "image");
    put(&places.station_data(), &[(MAP, "learnt")]);
    put(&places.brought_settings(), &[("station.toml", "brought")]);
    prepare(&places, &|| Ok(())).expect("made");
    assert_eq!(map(&places), "learnt");
    put(&places.brought_settings(), &[(MAP, "brought")]);
    prepare(&places, &|| Ok(())).expect("made");
    assert_eq!(map(&places), "brought");
    // One that the station does not take.
    prepare(&places, &|| Err(KeeperError::program("platend", "it is wrong"))).expect("made");
    assert_eq!(map(&places), "image");
}

/// The folder is the station's: whoever took it over could lead a writer that is root to a file of its own choice.
#[test]
fn no_link_in_the_stations_folder_is_followed() {
    let (folder, places) = played();
    let victim = folder.path().join("victim");
    fs::write(&victim, "untouched").expect("written");
    std::os::unix::fs::symlink(&victim, places.station_data().join(MAP)).expect("linked");
    put(&places.brought_settings(), &[(MAP, "brought")]);
    prepare(&places, &|| Ok(())).expect("made");
    assert_eq!((map(&places).as_str(), fs::read_to_string(&victim).expect("there").as_str()), ("brought", "untouched"));
}
