use super::*;

fn declared(files: &[(&str, &str)]) -> Declared {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let environment = [("TOKEN".to_owned(), "Bearer 1".to_owned())];
    let mut declared = read(&[folder.path().to_owned()], None, &environment).unwrap();
    let folder = format!("{}/", folder.path().display());
    declared.mistakes.iter_mut().for_each(|mistake| *mistake = mistake.replace(&folder, ""));
    declared
}

#[test]
fn the_files_of_a_folder_are_read_together() {
    let declared = declared(&[
        ("b.yaml", "endpoints:\n- url: https://b.example\n  topics: [a]\n"),
        ("a.toml", "[[topics]]\ntopic = 'a'\n[[endpoints]]\nurl = 'https://a.example'\ntopics = ['a']\n"),
        ("notes.txt", "not read"),
    ]);
    assert_eq!(declared.mistakes, [""; 0]);
    let urls: Vec<_> = declared.endpoints.iter().map(|endpoint| endpoint.url.as_str()).collect();
    assert_eq!(urls, ["https://a.example/", "https://b.example/"]);
    assert_eq!(declared.topics.unwrap().len(), 1);
}

#[test]
fn what_is_declared_twice_is_found_however_it_is_spelled() {
    let declared = declared(&[
        (
            "a.toml",
            "[[endpoints]]\nurl = 'HTTPS://a.example:443/x'\n[[topics]]\ntopic = 'a'\n[[topics]]\ntopic = 'a'",
        ),
        (
            "b.toml",
            "[[endpoints]]\nurl = 'https://a.example./x'\n[[endpoints]]\nurl = 'https://a.example/x'\ntenant = 't'",
        ),
    ]);
    assert_eq!(
        declared.mistakes,
        [
            "a.toml, topics[1]: the topic a is declared in a.toml, topics[0] already",
            "b.toml, endpoints[0]: the endpoint https://a.example/x is declared in a.toml, endpoints[0] already",
        ]
    );
}

#[test]
fn all_mistakes_are_found_at_once() {
    let declared = declared(&[
        ("a.toml", "tenants = ['acme']\n[[endpoints]]\ntenant = 'acm'\nurl = 'https://a.example'"),
        (
            "b.yaml",
            "endpoints:\n- {url: nowhere}\n- {topics: [a]}\n- {url: 'https://b.example', secret: whsec_x, state: off}\n",
        ),
        (
            "c.yaml",
            "endpoints:\n- {url: 'https://c.example', headers: {a: {env: NONE}}, secrets: [{value: whsec_x}]}\n",
        ),
        ("d.toml", "[[topics]]\nname = 'x'\nexamples = ['{']"),
        ("e.toml", "other = 1"),
    ]);
    let all = declared.mistakes.join("\n");
    for part in [
        "b.yaml, endpoints[0]: `url`: ",
        "b.yaml, endpoints[1]: `url` is missing",
        "b.yaml, endpoints[2] (https://b.example/): `secret` ",
        "b.yaml, endpoints[2] (https://b.example/): `state` ",
        "c.yaml, endpoints[0] (https://c.example/): `headers.a`: the variable `NONE` is not set",
        "c.yaml, endpoints[0] (https://c.example/): `secrets[0].value`: ",
        "d.toml, topics[0]: `topic` is missing",
        "e.toml: line 1: unknown field `other`",
        "a.toml, endpoints[0]: the tenant of the endpoint https://a.example/ of acm is not among `tenants`",
    ] {
        assert!(all.contains(part), "{part}\nis not in\n{all}");
    }
    assert!(!all.contains("whsec_"), "{all}");
}
