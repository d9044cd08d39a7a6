// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

const SHELL: &str = "<component name=\"Microsoft-Windows-Shell-Setup\" processorArchitecture=\"amd64\">";

fn parse(inside: &str) -> AnswerFile {
    let text = format!("<unattend xmlns=\"{UNATTEND}\">{inside}</unattend>");
    AnswerFile::parse(text.as_bytes(), Architecture::Amd64).expect("an answer file")
}

fn variables<'a>(given: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| given.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned())
}

fn windows(given: &[(&str, &str)]) -> Result<WindowsSettings, Vec<SettingProblem>> {
    WindowsSettings::from_variables(&variables(given), || "R4nd<m".to_owned())
}

fn network(given: &[(&str, &str)]) -> Result<NetworkSettings, Vec<SettingProblem>> {
    NetworkSettings::from_variables(&variables(given), &["00:11:22:aa:bb:cc".to_owned()])
}

/// The text of the first element found by the names on the way to it.
fn value(text: &str, path: &[&str]) -> Option<String> {
    let document = roxmltree::Document::parse(text).expect("XML");
    let mut node = document.root_element();
    for name in path {
        let is_it = |node: &roxmltree::Node<'_, '_>| {
            node.tag_name().name() == *name || ["pass", "name"].iter().any(|key| node.attribute(*key) == Some(name))
        };
        node = node.children().find(is_it)?;
    }
    Some(node.text().unwrap_or_default().to_owned())
}

#[test]
fn all_that_is_not_set_stays_byte_for_byte() {
    let before = "<settings pass=\"specialize\">\r\n  <!-- mine -->\r\n";
    let after =
        "<Other a='&lt;' />\r\n    </component>\r\n<unknown xmlns=\"urn:x\"><ComputerName></ComputerName></unknown>";
    let component = format!("{before}    {SHELL}<ComputerName>old</ComputerName>");
    let mut file = parse(&format!("{component}{after}</settings>"));
    file.apply_windows(&windows(&[("OSDComputerName", "PC-1")]).expect("settings")).expect("applies");
    let text = file.finish().expect("finishes").text;
    let expected = format!("{component}{after}</settings>").replace("old", "PC-1");
    assert!(text.contains(&expected), "{text}");
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<unattend"), "{text}");
}

#[test]
fn elements_are_made_where_they_are_missing() {
    let forms = ["", "<settings pass=\"specialize\"/>", "<settings pass=\"specialize\"></settings>"];
    let arm = "<settings pass=\"specialize\"><component name=\"Microsoft-Windows-Shell-Setup\" \
               processorArchitecture=\"arm64\"><ComputerName>arm</ComputerName></component></settings>";
    for form in forms.into_iter().chain([arm]) {
        let mut file = parse(form);
        file.apply_windows(&windows(&[("OSDComputerName", "PC-1"), ("OSDTimeZone", "A & B <C>")]).expect("settings"))
            .expect("applies");
        let text = file.finish().expect("finishes").text;
        assert_eq!(text.matches("pass=\"specialize\"").count(), 1, "{text}");
        assert!(text.contains("<TimeZone>A &amp; B &lt;C&gt;</TimeZone>"), "{text}");
        assert!(text.contains("<ComputerName>PC-1</ComputerName>"), "{text}");
        assert!(text.contains("<ComputerName>arm</ComputerName>") == form.contains("arm64"), "{text}");
    }
}

#[test]
fn a_later_pass_does_not_take_back_what_was_set() {
    let inside = format!(
        "<settings pass=\"windowsPE\">{SHELL}<TimeZone>%OLD%</TimeZone></component></settings>\
         <settings pass=\"oobeSystem\">{SHELL}<TimeZone>old</TimeZone></component></settings>"
    );
    let mut file = parse(&inside);
    file.apply_windows(&windows(&[("OSDTimeZone", "UTC"), ("OSDRegisteredUserName", "me")]).expect("settings"))
        .expect("applies");
    let text = file.finish().expect("finishes").text;
    let shell = "Microsoft-Windows-Shell-Setup";
    assert_eq!(value(&text, &["windowsPE", shell, "TimeZone"]).as_deref(), Some("%OLD%"), "nothing reads that pass");
    assert_eq!(value(&text, &["oobeSystem", shell, "TimeZone"]).as_deref(), Some("UTC"));
    assert_eq!(value(&text, &["specialize", shell, "TimeZone"]).as_deref(), Some("UTC"));
    assert_eq!(value(&text, &["oobeSystem", shell, "RegisteredOwner"]), None, "it was not there");
}

#[test]
fn what_a_template_leaves_empty_is_filled_or_taken_out() {
    let template = include_bytes!("../../../sequence/tests/samples/unattend-mdt-x64.xml");
    let parsed = AnswerFile::parse(template, Architecture::Amd64).expect("an answer file");
    let mut filled = parsed.clone();
    let given = [("OSDProductKey", "vk7jg nphtm c97jm 9mpgt 3v66t"), ("OSDWorkgroupName", "W & C")];
    filled.apply_windows(&windows(&given).expect("settings")).expect("applies");
    filled.apply_network(&network(&given).expect("settings")).expect("applies");
    let filled = filled.finish().expect("finishes");
    assert!(filled.text.contains("<ProductKey>VK7JG-NPHTM-C97JM-9MPGT-3V66T</ProductKey>"), "{}", filled.text);
    assert_eq!(filled.secrets, ["specialize/Microsoft-Windows-Shell-Setup/ProductKey"]);
    let join = "Microsoft-Windows-UnattendedJoin";
    let path = ["specialize", join, "Identification", "JoinWorkgroup"];
    assert_eq!(value(&filled.text, &path).as_deref(), Some("W & C"));
    let empty = parsed.finish().expect("finishes").text;
    assert!(!empty.contains("<Identification>") && !empty.contains("<ProductKey>"), "{empty}");
    for text in [&filled.text, &empty] {
        for name in ["JoinDomain", "Credentials", "ComputerName", "RegisteredOwner"] {
            assert!(!text.contains(&format!("<{name}>")), "{name}: {text}");
        }
        assert!(text.contains("<TimeZone>Pacific Standard Time</TimeZone>") && text.contains("<Path>\\Drivers</Path>"));
    }
}

#[test]
fn the_administrator_has_three_ways() {
    let text_of = |given: &[(&str, &str)]| {
        let mut file = AnswerFile::new(Architecture::Amd64);
        let settings = windows(given).expect("settings");
        file.apply_windows(&settings).expect("applies");
        (settings.administrator, file.finish().expect("finishes"))
    };
    let place = ["oobeSystem", "Microsoft-Windows-Shell-Setup", "UserAccounts", "AdministratorPassword", "Value"];
    let (way, file) = text_of(&[("OSDRandomAdminPassword", "True"), ("OSDLocalAdminPassword", "ignored")]);
    assert_eq!(way, Administrator::Disabled { password: Secret("R4nd<m".to_owned()) });
    assert_eq!(value(&file.text, &place).as_deref(), Some("R4nd<m"));
    assert_eq!(file.secrets, [place.join("/")]);
    let (_, file) = text_of(&[("OSDRandomAdminPassword", "false"), ("OSDLocalAdminPassword", " p&w ")]);
    assert_eq!(value(&file.text, &place).as_deref(), Some(" p&w "), "blanks are part of it");
    let (way, file) = text_of(&[]);
    assert_eq!((way, file.text.contains("Administrator")), (Administrator::Unchanged, false));
    let problem = windows(&[("OSDRandomAdminPassword", "false")]).expect_err("no password");
    assert_eq!(problem[0].variable, "OSDLocalAdminPassword");
    let shown = format!("{file:?} {:?} {:?}", windows(&[("OSDLocalAdminPassword", "PLANTED")]), parse("PLANTED"));
    assert!(!shown.contains("PLANTED"), "{shown}");
}

#[test]
fn a_domain_is_joined_with_its_account() {
    let given = [
        ("OSDNetworkJoinType", "0"),
        ("OSDDomainName", "example.test"),
        ("OSDDomainOUName", "ldap://OU=A,DC=example,DC=test"),
        ("OSDJoinAccount", "EXAMPLE\\joiner"),
        ("OSDJoinPassword", "p<w"),
    ];
    let mut file = parse(
        "<settings pass=\"specialize\"><component name=\"Microsoft-Windows-UnattendedJoin\" processorArchitecture=\"AMD64\">\
         <Identification><JoinWorkgroup>old</JoinWorkgroup></Identification></component></settings>",
    );
    file.apply_network(&network(&given).expect("settings")).expect("applies");
    let file = file.finish().expect("finishes");
    let at = |path: &[&str]| {
        value(&file.text, &[&["specialize", "Microsoft-Windows-UnattendedJoin", "Identification"], path].concat())
    };
    assert_eq!(at(&["JoinDomain"]).as_deref(), Some("example.test"));
    assert_eq!(at(&["MachineObjectOU"]).as_deref(), Some("OU=A,DC=example,DC=test"));
    assert_eq!(at(&["Credentials", "Domain"]).as_deref(), Some("EXAMPLE"));
    assert_eq!(at(&["Credentials", "Username"]).as_deref(), Some("joiner"));
    assert_eq!(at(&["Credentials", "Password"]).as_deref(), Some("p<w"));
    assert_eq!(at(&["JoinWorkgroup"]), None);
    assert!(file.secrets[0].ends_with("Credentials/Password"), "{file:?}");
}

#[test]
fn adapters_are_given_by_number_address_or_name() {
    let given = [
        ("OSDAdapterCount", "2"),
        ("OSDAdapter0EnableDHCP", "false"),
        ("OSDAdapter0IPAddressList", "192.0.2.7, 2001:db8::7"),
        ("OSDAdapter0SubnetMask", "255.255.254.0,64"),
        ("OSDAdapter0Gateways", "192.0.2.1"),
        ("OSDAdapter0GatewayCostMetric", "10"),
        ("OSDAdapter0DNSServerList", "192.0.2.2,192.0.2.3"),
        ("OSDAdapter0EnableWINS", "false"),
        ("OSDAdapter0WINSServerList", "192.0.2.9"),
        ("OSDAdapter0EnableDNSRegistration", "true"),
        ("OSDAdapter1EnableDHCP", "true"),
        ("OSDAdapter1Name", "Ethernet 2"),
        ("OSDAdapter1IPAddressList", "192.0.2.8"),
        ("OSDDNSSuffixSearchOrder", "a.test,b.test"),
    ];
    let settings = network(&given).expect("settings");
    assert_eq!(settings.adapters[0].identifier, "00-11-22-AA-BB-CC", "the computer's first");
    assert_eq!((settings.adapters[0].addresses[0].1, settings.adapters[0].addresses[1].1), (23, 64));
    assert!(settings.adapters[1].addresses.is_empty(), "ignored, as documented");
    let mut file = AnswerFile::new(Architecture::Amd64);
    file.apply_network(&settings).expect("applies");
    let text = file.finish().expect("finishes").text;
    for part in [
        "wcm:keyValue=\"1\">192.0.2.7/23</IpAddress>",
        "wcm:keyValue=\"2\">2001:db8::7/64</IpAddress>",
        "<NextHopAddress>192.0.2.1</NextHopAddress>",
        "<Identifier>Ethernet 2</Identifier>",
        "<DisableDynamicUpdate>false</DisableDynamicUpdate>",
        "wcm:keyValue=\"2\">b.test</DomainName>",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("NetBT"), "{text}");
}

#[test]
fn values_that_can_not_be_used_are_all_named() {
    for (given, variable) in [
        (("OSDComputerName", "THIS_NAME IS*TOO-LONG"), "OSDComputerName"),
        (("OSDComputerName", "12345"), "OSDComputerName"),
        (("OSDProductKey", "ABC-123"), "OSDProductKey"),
        (("OSDServerLicenseConnectionLimit", "4"), "OSDServerLicenseConnectionLimit"),
        (("OSDRegisteredOrgName", "a\nb"), "OSDRegisteredOrgName"),
    ] {
        let problems = windows(&[given]).expect_err(given.1);
        assert_eq!(problems[0].variable, variable);
        assert!(problems[0].variable != "OSDProductKey" || !problems[0].to_string().contains("ABC"), "{problems:?}");
    }
    for (given, variable) in [
        (&[("OSDNetworkJoinType", "0")][..], "OSDDomainName"),
        (&[("OSDDomainName", "a.test")], "OSDJoinAccount"),
        (&[("OSDNetworkJoinType", "2")], "OSDNetworkJoinType"),
        (&[("OSDAdapter0EnableDHCP", "false")], "OSDAdapter0IPAddressList"),
        (
            &[("OSDAdapter0IPAddressList", "192.0.2.1"), ("OSDAdapter0SubnetMask", "255.0.255.0")],
            "OSDAdapter0SubnetMask",
        ),
        (&[("OSDAdapter0IPAddressList", "192.0.2.1"), ("OSDAdapter0SubnetMask", "64")], "OSDAdapter0SubnetMask"),
        (&[("OSDAdapterCount", "65")], "OSDAdapterCount"),
        (&[("OSDAdapter0EnableDHCP", "true"), ("OSDAdapter1EnableDHCP", "true")], "OSDAdapter1MacAddress"),
    ] {
        assert_eq!(network(given).expect_err(variable)[0].variable, variable);
    }
}

#[test]
fn names_between_percent_signs_are_put_in_where_they_are_known() {
    let mut file = parse(&format!(
        "<settings pass=\"specialize\">{SHELL}<A>%x% at 100% of %x%, %SystemDrive%</A><!-- %x% --><B>%p%</B></component></settings>"
    ));
    let known = |name: &str| match name {
        "x" => Some(Expansion { text: "<1>&%p%".to_owned(), is_secret: false }),
        "p" => Some(Expansion { text: "hidden".to_owned(), is_secret: true }),
        _ => None,
    };
    file.expand(&known).expect("expands");
    let file = file.finish().expect("finishes");
    assert!(file.text.contains("<A>&lt;1&gt;&amp;%p% at 100% of &lt;1&gt;&amp;%p%, %SystemDrive%</A><!-- %x% -->"));
    assert_eq!(file.secrets, ["specialize/Microsoft-Windows-Shell-Setup/B"]);
}

#[test]
fn a_component_that_comes_twice_is_named() {
    let twice = format!("{SHELL}</component>").repeat(2);
    let parsed = |inside: &str| {
        let text = format!("<unattend xmlns=\"{UNATTEND}\">{inside}</unattend>");
        AnswerFile::parse(text.as_bytes(), Architecture::Amd64).map_err(|error| error.to_string())
    };
    let error = parsed(&format!("<settings pass=\"specialize\">{twice}</settings>")).expect_err("twice");
    assert!(error.contains("pass specialize") && error.contains("Microsoft-Windows-Shell-Setup"), "{error}");
    let others = twice.replace("amd64", "arm64");
    parsed(&format!("<settings pass=\"specialize\">{others}</settings>")).expect("of another architecture");
    parsed(&format!("<settings pass=\"windowsPE\">{twice}</settings>")).expect("nobody reads it");
}

#[test]
fn a_long_value_is_not_put_in_without_end() {
    let mut file =
        parse(&format!("<settings pass=\"specialize\">{SHELL}<A>{}</A></component></settings>", "%x%".repeat(100_000)));
    let before = file.clone();
    let long = |_: &str| Some(Expansion { text: "x".repeat(30_000), is_secret: false });
    assert!(matches!(file.expand(&long), Err(AnswerError::TooLarge { .. })));
    assert!(file == before, "it is as it was");
}

#[test]
fn what_is_no_answer_file_or_hostile_is_refused() {
    let unattend = |inside: &str| format!("<unattend xmlns=\"{UNATTEND}\">{inside}</unattend>");
    let deep = unattend(&("<a>".repeat(50_000) + &"</a>".repeat(50_000)));
    let wide = unattend(&format!("<a {}/>", (0..50_000).map(|n| format!("a{n}='>'")).collect::<Vec<_>>().join(" ")));
    let many = unattend(&"<a/>".repeat(120_000));
    let entity = format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{}", unattend("&b;"));
    AnswerFile::parse(deep.as_bytes(), Architecture::Amd64).expect("deep is no harm").finish().expect("finishes");
    for text in [
        &wide,
        &many,
        &entity,
        "<unattend/>",
        "",
        "<a>",
        "<u:unattend xmlns:u=\"urn:schemas-microsoft-com:unattend\"/>",
    ] {
        let begun = std::time::Instant::now();
        let found = AnswerFile::parse(text.as_bytes(), Architecture::Amd64);
        assert!(found.is_err(), "{:.80}", text);
        assert!(begun.elapsed().as_secs() < 5);
    }
    assert!(matches!(
        AnswerFile::parse(&vec![b' '; MAX_ANSWER_BYTES + 1], Architecture::X86),
        Err(AnswerError::TooLarge { .. })
    ));
    assert!(matches!(AnswerFile::parse(b"<a>\xe4</a>", Architecture::X86), Err(AnswerError::Encoding)));
}

#[test]
fn the_script_after_setup_starts_the_rest() {
    let text = setup_complete(true, true);
    assert!(text.is_ascii() && text.split("\r\n").all(|line| !line.contains('\n')));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "@echo off");
    assert_eq!(lines[2], "call \"%SystemDrive%\\Windows\\Setup\\Scripts\\SetupComplete.image.cmd\"");
    assert!(lines[3].contains("*-500"));
    assert!(lines[4].starts_with("if exist \"%SystemDrive%\\Drivers\" ") && lines[4].ends_with(" /subdirs /install"));
    assert_eq!(lines[6], "\"%SystemDrive%\\_SMSTaskSequence\\platen-deploy.exe\" first-start");
    let alone = setup_complete(false, false);
    assert!(!alone.contains("call") && !alone.contains("powershell"), "{alone}");
    assert!(is_setup_complete(text.as_bytes()) && is_setup_complete(alone.as_bytes()));
    for other in ["", "@echo off\r\nrem platen\r\n", "echo rem platen: goes on with the task sequence\r\n"] {
        assert!(!is_setup_complete(other.as_bytes()), "{other}");
    }
}
