//! A terminal: a line editor with history and completion, above which everything else is printed.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reedline::{
    ColumnarMenu, Completer, Emacs, ExternalPrinter, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder as _,
    Prompt, PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal, Span, Suggestion,
    default_emacs_keybindings,
};
use tokio::sync::{mpsc, oneshot};
use unicode_width::UnicodeWidthChar as _;

use super::words::Said;
use super::{Chat, show};
use crate::failure::Failure;

/// Lines that can be brought back.
const HISTORY: usize = 1000;

/// Rows that may wait to be shown; then nothing is read from the server either.
const WAITING: usize = 1000;

/// How often to look whether the editor has shown a line.
const LOOK: Duration = Duration::from_millis(10);

const MENU: &str = "words";

/// Chats until the user leaves. The editor has this thread, since it waits for keys; the conversation goes on in the
/// runtime.
pub(super) fn talk(runtime: &tokio::runtime::Runtime, chat: Chat, history: Option<&Path>) -> Result<u8, Failure> {
    let printer = ExternalPrinter::default();
    let mut editor = editor(chat.room.vocabulary(), printer.clone(), history)?;
    let prompt = Arc::new(Mutex::new(chat.room.prompt()));
    let (lines, said) = mpsc::unbounded_channel();
    let talking = runtime.spawn(converse(chat, said, printer, Arc::clone(&prompt)));
    loop {
        let here = Here(prompt.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let said = match editor.read_line(&here).map_err(Failure::usage)? {
            Signal::Success(line) => Said::of(&line),
            Signal::CtrlD => Said::Quit,
            // Ctrl-C clears the line, as in a shell.
            _ => Said::Nothing,
        };
        let quits = said == Said::Quit;
        // The next prompt is that of the session in which the line leaves the user.
        let (done, is_done) = oneshot::channel();
        if lines.send((said, done)).is_err() || quits {
            break;
        }
        // Nobody answers any more when the conversation has failed, which the next line finds out.
        show(&is_done.blocking_recv().unwrap_or_default())?;
    }
    drop(lines);
    runtime.block_on(talking).map_err(Failure::usage)??;
    editor.sync_history().map_err(Failure::usage)?;
    Ok(0)
}

fn editor(words: Vec<String>, printer: ExternalPrinter<String>, history: Option<&Path>) -> Result<Reedline, Failure> {
    let history = match history {
        Some(file) => FileBackedHistory::with_file(HISTORY, file.to_path_buf()),
        None => FileBackedHistory::new(HISTORY),
    };
    let mut keys = default_emacs_keybindings();
    let complete = ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext]);
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, complete);
    let menu = ColumnarMenu::default().with_name(MENU);
    Ok(Reedline::create()
        .with_external_printer(printer)
        .with_history(Box::new(history.map_err(Failure::usage)?))
        .with_completer(Box::new(Words(words)))
        .with_quick_completions(true)
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_edit_mode(Box::new(Emacs::new(keys))))
}

/// A line of the user, and where what it leads to is shown: the editor is at rest until then.
type Line = (Said, oneshot::Sender<Vec<String>>);

async fn converse(
    mut chat: Chat,
    mut said: mpsc::UnboundedReceiver<Line>,
    printer: ExternalPrinter<String>,
    prompt: Arc<Mutex<String>>,
) -> Result<(), Failure> {
    let note = |chat: &Chat| *prompt.lock().unwrap_or_else(PoisonError::into_inner) = chat.room.prompt();
    let mut waiting = VecDeque::new();
    loop {
        tokio::select! {
            event = chat.events.recv(), if waiting.len() < WAITING => match event {
                Some(event) => {
                    let width = width();
                    waiting.extend(chat.hear(&event).await.iter().flat_map(|line| rows(line, width)));
                    note(&chat);
                }
                None => break,
            },
            line = said.recv() => match line {
                None | Some((Said::Quit, _)) => break,
                Some((line, shown)) => {
                    let lines = answer(&mut chat, line).await;
                    note(&chat);
                    // Nothing is overtaken by the answer.
                    let before = std::iter::from_fn(|| printer.get_line()).chain(waiting.drain(..));
                    // Where nobody takes it, the editor has failed, and says so.
                    let _taken = shown.send(before.chain(lines).collect());
                }
            },
            () = taken(&printer), if !waiting.is_empty() => {
                waiting.pop_front().map_or(Ok(()), |row| printer.print(row)).map_err(Failure::usage)?;
            }
        }
    }
    // The editor is gone: what waited, and what comes now, has the screen for itself.
    show(&std::iter::from_fn(|| printer.get_line()).chain(waiting).collect::<Vec<_>>())?;
    chat.leave(|lines| show(&lines)).await
}

async fn answer(chat: &mut Chat, line: Said) -> Vec<String> {
    if line == Said::Connect && chat.connected {
        return vec!["! you are connected".to_owned()];
    }
    let reaction = chat.room.speak(line);
    chat.follow(reaction).await
}

/// Waits until the editor has shown what it was given: it loses its place on the screen over two lines at once.
async fn taken(printer: &ExternalPrinter<String>) {
    while !printer.receiver().is_empty() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Columns of the terminal.
fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(80, |size| usize::from(size.ws_col)).max(20)
}

/// A line in pieces that fit a row: the editor takes each printed line for one row.
fn rows(line: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut taken = 0;
    for c in line.chars() {
        let columns = c.width().unwrap_or(0);
        if taken + columns > width {
            rows.push(String::new());
            taken = 0;
        }
        taken += columns;
        if let Some(row) = rows.last_mut() {
            row.push(c);
        }
    }
    rows
}

/// The session in front of the cursor. It stays while a line is written: the editor would lose its place on the screen.
struct Here(String);

impl Prompt for Here {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("search {:?}: ", search.term))
    }
}

/// Completes commands and, behind them, names. In a text that would be a nuisance.
struct Words(Vec<String>);

impl Completer for Words {
    fn complete(&mut self, line: &str, at: usize) -> Vec<Suggestion> {
        let before = line.get(..at).unwrap_or(line);
        let start = before.rfind(char::is_whitespace).map_or(0, |space| space + 1);
        let word = before.get(start..).unwrap_or_default();
        if !before.starts_with('/') {
            return Vec::new();
        }
        let fits = |candidate: &&String| candidate.starts_with(word) && candidate.starts_with('/') == (start == 0);
        let suggestion = |word: &String| Suggestion {
            value: word.clone(),
            span: Span::new(start, at),
            append_whitespace: true,
            ..Suggestion::default()
        };
        self.0.iter().filter(fits).map(suggestion).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn a_line_is_cut_where_a_row_ends() {
        assert_eq!(rows("", 4), [""]);
        assert_eq!(rows("abcd", 4), ["abcd"]);
        assert_eq!(rows("abcdefghi", 4), ["abcd", "efgh", "i"]);
        // Two columns each.
        assert_eq!(rows("a\u{4f60}\u{597d}b", 4), ["a\u{4f60}", "\u{597d}b"]);
    }
}
