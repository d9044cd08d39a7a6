// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A planted secret is found nowhere: not in the layout, the cache, on the drive, in the ledger or in any log.

use platen_testkit::files::snapshot;
use platen_testkit::secrets::Search;

use crate::boot::{PASSWORD, Variant};
use crate::boot_drives::{SECRET, drive};

/// In every encoding, and inside everything that is packed; that each of these is seen, the testkit's own tests show.
#[test]
fn planted_secrets_are_found_nowhere() {
    let image = drive(Variant::MbrWithPassword);
    let station = image.parent().expect("a folder");
    for (secret, source) in [(PASSWORD, "password.txt"), (SECRET, "secret.txt")] {
        let found = Search::new(secret).below(station);
        // Where it was planted, which shows that the search sees it; everything else the programs made.
        let planted = format!("{}: plain", station.join(source).display());
        assert_eq!(found, [planted], "{secret:?}");
    }
    let layout = snapshot(&station.join("layout"));
    let mut logs = layout.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "log"));
    assert!(logs.any(|(_, bytes)| {
        let text = String::from_utf8_lossy(bytes);
        text.contains("OSDLocalAdminPassword") && text.contains("********")
    }));
}
