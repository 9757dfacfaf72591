//! `completions` and `man`: made from the command line's own definition.

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Cli;
use crate::failure::Outcome;
use crate::output::Output;

pub(super) fn completions(shell: Shell, out: &mut Output) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hypercore", &mut text);
    out.raw(&text)
}

/// One page: the command, then each of its subcommands.
pub(super) fn man(out: &mut Output) -> Outcome {
    let mut command = Cli::command();
    command.build();
    let mut text = Vec::new();
    Man::new(command.clone()).render(&mut text)?;
    for subcommand in command.get_subcommands().filter(|found| found.get_name() != "help") {
        let man = Man::new(subcommand.clone());
        text.extend_from_slice(
            format!(".SH \"HYPERCORE {}\"\n", subcommand.get_name().to_uppercase()).as_bytes(),
        );
        man.render_synopsis_section(&mut text)?;
        man.render_description_section(&mut text)?;
        man.render_options_section(&mut text)?;
    }
    out.raw(&text)
}
