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

/// One page: the command, then each of its subcommands with the options of its own.
pub(super) fn man(out: &mut Output) -> Outcome {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_options_section(&mut text)?;
    for subcommand in command.get_subcommands() {
        let name = subcommand.get_name();
        let own = subcommand.clone().mut_args(|arg| {
            let is_common = arg.is_global_set() || arg.get_id() == "help";
            arg.hide(is_common)
        });
        text.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
        let about = own.get_about().map(ToString::to_string).unwrap_or_default();
        text.extend_from_slice(about.as_bytes());
        text.extend_from_slice(b"\n");
        let section = Man::new(own);
        let mut parts = Vec::new();
        section.render_synopsis_section(&mut parts)?;
        section.render_options_section(&mut parts)?;
        if subcommand.get_after_help().is_some() {
            section.render_extra_section(&mut parts)?;
        }
        // Sections of a section.
        let parts = String::from_utf8_lossy(&parts).replace(".SH ", ".SS ");
        text.extend_from_slice(parts.as_bytes());
    }
    page.render_extra_section(&mut text)?;
    out.raw(&text)
}
