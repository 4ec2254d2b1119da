//! What the commands take in common.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::project::Project;
use super::{Error, World};
use crate::clock::Clock;
use crate::plugins::{Compiler, Means, Options, Tools, Workbench, Workpiece};

/// Which plugin.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The component, a core module that says its interfaces, or the folder of a project that was built.
    #[arg(value_name = "FILE.wasm | FOLDER", default_value = ".")]
    plugin: PathBuf,
    /// Its manifest [default: NAME.toml beside it or in the folder of the project].
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// What it is given.
#[derive(Debug, Args)]
pub(super) struct Given {
    /// The value of a variable that the manifest asks for; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Let it make the requests that its manifest asks for, to public addresses; without this they fail.
    #[arg(long)]
    http: bool,
    /// Do not count instructions, for which the plugin is compiled a second time.
    #[arg(long)]
    no_instructions: bool,
}

impl Which {
    /// The files.
    pub(super) fn find(&self) -> Result<Project, Error> {
        Project::find(&self.plugin, self.manifest.as_deref())
    }
}

impl Given {
    /// The plugin, ready to be called.
    pub(super) async fn open(
        self,
        piece: &Workpiece,
        project: &Project,
        world: World,
    ) -> Result<Workbench, Error> {
        let tools = Tools {
            compiler: Compiler::this_program()?,
            cache: world.cache(),
            options: Options::default(),
            means: if self.http { (world.means)().map_err(Error::Failed)? } else { Means::default() },
            env: self.env.into_iter().collect::<BTreeMap<_, _>>(),
            clock: Clock::system(),
            counts_instructions: !self.no_instructions,
        };
        Workbench::open(piece, tools).await.map_err(Error::refused(&project.component))
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
