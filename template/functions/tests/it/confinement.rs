//! Templates that may read files of one directory only.

use consul_template_functions::{Data, Dependency, Settings};

use crate::support::{World, execute_in};

fn read(path: &str) -> Result<String, String> {
    let mut world = World::default();
    for (path, real) in
        [("/safe", "/safe"), ("/safe/a", "/safe/a"), ("/safe/link", "/etc/b"), ("/safer/c", "/safer/c")]
    {
        world.paths.insert(path.into(), real.into());
    }
    let file = Dependency::File { path: "/safe/a".into() };
    world.data.insert(file, Data::file(b"text"));
    let settings = Settings { sandbox: Some("/safe".into()), ..Settings::default() };
    let source = format!("{{{{file {path:?}}}}}");
    match execute_in(world, &settings, &source) {
        Ok(rendered) => Ok(String::from_utf8(rendered.output).unwrap()),
        Err(failed) => Err(failed.to_string()),
    }
}

#[test]
fn files_inside_are_read() {
    assert_eq!(read("/safe/a").as_deref(), Ok("text"));
    assert_eq!(read("").as_deref(), Ok(""));
}

#[test]
fn files_outside_are_refused_by_their_real_path() {
    for (path, expected) in [
        ("/safe/link", "'/safe/link' is outside of sandbox"),
        ("/safer/c", "'/safer/c' is outside of sandbox"),
        ("/none", "failed to resolve target path: entity not found"),
    ] {
        let error = read(path).unwrap_err();
        assert!(error.ends_with(expected), "{error}");
    }
}
