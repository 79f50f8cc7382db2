//! The session's side of the kernel: requests are answered one after another on the thread that the session lives on.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use jupyter_protocol::{
    CommInfoReply, ConnectionInfo, ErrorOutput, ExecuteInput, ExecuteReply, ExecuteRequest,
    ExecutionCount, ExecutionState, ExpressionResult, JupyterMessage, JupyterMessageContent,
    ReplyError, ReplyStatus, ShutdownReply,
};

use super::answers;
use super::front::{Jupyter, Present};
use super::history::History;
use super::lines::Lines;
use super::media::{self, media};
use super::progress;
use super::publisher::Publisher;
use super::sockets::{Incoming, Sockets};
use crate::cli::arguments::Common;
use crate::cli::draw::Style;
use crate::cli::exit::{DONE, STOPPED};
use crate::cli::progress::Bars;
use crate::cli::{environment, host, signals};
use crate::error::Result;
use crate::notebook::outcome::Item;
use crate::notebook::runner::{self, Desk};
use crate::plain::printable;
use crate::script::display::CellValue;
use crate::script::engine::Session;
use crate::script::host::Host;
use crate::script::report::ScriptError;

/// How often a kernel without work looks whether it shall end.
const TURN: Duration = Duration::from_millis(100);
/// How long a failed cell waits for cells that were sent along with it, which are not to run.
const GRACE: Duration = Duration::from_millis(40);

/// Answers requests until the kernel is asked to end.
pub fn serve(common: &Common, connection: ConnectionInfo) -> Result<u8> {
    let host = host::host(common, &Bars::new())?;
    let stop = host.control.stop_flag().clone();
    let (sender, requests) = channel();
    let sockets = Sockets::open(connection, stop.clone(), sender)?;
    let publisher = Publisher::new(sockets.out.clone());
    let control = host.control.reporting(progress::Lines::progress(publisher.clone()));
    let host = Rc::new(Host { control, ..host });
    let present = Present::default();
    let front = Jupyter { publisher: publisher.clone(), present: present.clone() };
    let desk = Desk::new(Box::new(front), None);
    host::listen(&host, &desk);
    let kernel = Kernel {
        session: Session::new(host, "cell"),
        desk,
        present,
        publisher,
        requests,
        waiting: VecDeque::new(),
        stop,
        lines: Lines::default(),
        history: History::default(),
        parent: environment::jupyter(),
        ends: false,
    };
    let code = kernel.serve();
    sockets.close();
    Ok(code)
}

/// A request, and whether it is not to be run because a cell before it failed.
struct Waiting {
    request: Box<JupyterMessage>,
    is_aborted: bool,
}

struct Kernel {
    session: Session,
    desk: Rc<RefCell<Desk>>,
    present: Present,
    publisher: Publisher,
    requests: Receiver<Incoming>,
    waiting: VecDeque<Waiting>,
    stop: Arc<AtomicBool>,
    lines: Lines,
    history: History,
    /// The process of the Jupyter that started this kernel.
    parent: Option<u32>,
    /// The kernel was asked to end while a cell ran.
    ends: bool,
}

impl Kernel {
    fn serve(mut self) -> u8 {
        self.publisher.state(ExecutionState::Starting);
        loop {
            let next = match self.waiting.pop_front() {
                Some(waiting) => waiting,
                None => match self.next() {
                    Ok(request) => Waiting { request, is_aborted: false },
                    Err(code) => return code,
                },
            };
            self.publisher.belong_to(Some(&next.request));
            self.publisher.state(ExecutionState::Busy);
            let ends = self.answer(&next);
            self.publisher.state(ExecutionState::Idle);
            self.publisher.belong_to(None);
            if ends || self.ends {
                return DONE;
            }
        }
    }

    /// The next request, or the exit code where there will be none.
    fn next(&self) -> std::result::Result<Box<JupyterMessage>, u8> {
        signals::wait(true);
        let next = loop {
            match self.requests.recv_timeout(TURN) {
                Ok(Incoming::Request(request)) => break Ok(request),
                Ok(Incoming::End) | Err(RecvTimeoutError::Disconnected) => break Err(DONE),
                Err(RecvTimeoutError::Timeout) if signals::is_terminated() => break Err(STOPPED),
                Err(RecvTimeoutError::Timeout) if self.is_left_alone() => break Err(DONE),
                // A wish to stop that came while nothing was under way is not meant for the next cell.
                Err(RecvTimeoutError::Timeout) => self.stop.store(false, Ordering::Relaxed),
            }
        };
        signals::wait(false);
        next
    }

    /// Whether the Jupyter that started this kernel is gone: nobody can reach the kernel any more.
    fn is_left_alone(&self) -> bool {
        self.parent.is_some() && self.parent != environment::jupyter()
    }

    /// Answers one request; says whether the kernel ends with it.
    fn answer(&mut self, waiting: &Waiting) -> bool {
        let request = &*waiting.request;
        let reply: JupyterMessageContent = match &request.content {
            JupyterMessageContent::ExecuteRequest(_) if waiting.is_aborted => {
                let count = ExecutionCount::new(self.present.count.get());
                ExecuteReply {
                    status: ReplyStatus::Aborted,
                    execution_count: count,
                    ..Default::default()
                }
                .into()
            }
            JupyterMessageContent::ExecuteRequest(asked) => self.execute(asked).into(),
            JupyterMessageContent::KernelInfoRequest(_) => answers::about().into(),
            JupyterMessageContent::CompleteRequest(asked) => {
                answers::complete(&self.session, &asked.code, asked.cursor_pos).into()
            }
            JupyterMessageContent::InspectRequest(asked) => {
                answers::inspect(&asked.code, asked.cursor_pos).into()
            }
            JupyterMessageContent::IsCompleteRequest(asked) => {
                answers::is_complete(&self.session, &asked.code).into()
            }
            JupyterMessageContent::HistoryRequest(asked) => self.history.reply(asked).into(),
            JupyterMessageContent::CommInfoRequest(_) => CommInfoReply::default().into(),
            JupyterMessageContent::ShutdownRequest(asked) => {
                let reply = ShutdownReply { restart: asked.restart, ..Default::default() };
                self.publisher.reply(reply, request);
                return true;
            }
            // Widgets' messages are for kernels that have widgets.
            _ => return false,
        };
        self.publisher.reply(reply, request);
        false
    }

    /// Runs a cell and publishes what it shows, or its error.
    fn execute(&mut self, asked: &ExecuteRequest) -> ExecuteReply {
        let is_kept = asked.store_history && !asked.silent;
        let count = self.present.count.get() + usize::from(is_kept);
        self.present.count.set(count);
        self.present.silent.set(asked.silent);
        self.present.printed.set(0);
        let execution_count = ExecutionCount::new(count);
        if !asked.silent {
            let code = asked.code.clone();
            self.publisher.publish(ExecuteInput { code, execution_count });
        }
        if is_kept {
            self.history.add(count, &asked.code);
        }
        match self.evaluate(&asked.code, count) {
            Ok(_) => ExecuteReply {
                execution_count,
                user_expressions: Some(self.expressions(asked)),
                ..Default::default()
            },
            Err(error) => {
                let error = described(&error);
                if !asked.silent {
                    self.publisher.publish(ErrorOutput {
                        ename: error.ename.clone(),
                        evalue: error.evalue.clone(),
                        traceback: error.traceback.clone(),
                    });
                }
                if asked.stop_on_error {
                    self.abort_queued();
                }
                ExecuteReply {
                    status: ReplyStatus::Error,
                    execution_count,
                    user_expressions: Some(HashMap::new()),
                    error: Some(Box::new(error)),
                    ..Default::default()
                }
            }
        }
    }

    fn evaluate(
        &mut self,
        code: &str,
        count: usize,
    ) -> std::result::Result<CellValue, ScriptError> {
        if code.trim().is_empty() {
            return Ok(CellValue::default());
        }
        self.lines.begin(self.session.text().matches('\n').count(), count);
        self.stop.store(false, Ordering::Relaxed);
        self.session.host().restart();
        let result = runner::one(&mut self.session, &self.desk, "", code);
        self.stop.store(false, Ordering::Relaxed);
        if self.session.has_left() {
            let note = "exit() ends a script or a prompt; a kernel is ended by the menu of Jupyter";
            self.desk.borrow_mut().show(Item::Note(note.to_string()));
        }
        self.desk.borrow_mut().take_items();
        result.map_err(|error| self.lines.placed(*error))
    }

    /// The values of expressions that a front asked for beside the cell; they are not shown.
    fn expressions(&mut self, asked: &ExecuteRequest) -> HashMap<String, ExpressionResult> {
        let expressions = asked.user_expressions.clone().unwrap_or_default();
        self.present.silent.set(true);
        let count = self.present.count.get();
        let value = |(name, code): (String, String)| {
            let output = self.evaluate(&code, count).map(|value| value.output());
            let result = match output {
                Ok(Ok(Some(output))) => {
                    ExpressionResult::Ok { data: media(&output), metadata: Default::default() }
                }
                Ok(Ok(None)) => {
                    ExpressionResult::Ok { data: media::text("()"), metadata: Default::default() }
                }
                Ok(Err(error)) => failed(self.lines.placed(*self.session.failed(error))),
                Err(error) => failed(error),
            };
            (name, result)
        };
        expressions.into_iter().map(value).collect()
    }

    /// Marks the cells that were sent before it was known that this one fails.
    fn abort_queued(&mut self) {
        while let Ok(next) = self.requests.recv_timeout(GRACE) {
            match next {
                Incoming::Request(request) => {
                    self.waiting.push_back(Waiting { request, is_aborted: false });
                }
                Incoming::End => {
                    self.ends = true;
                    break;
                }
            }
        }
        for waiting in &mut self.waiting {
            waiting.is_aborted = true;
        }
    }
}

fn failed(error: ScriptError) -> ExpressionResult {
    let ReplyError { ename, evalue, traceback } = described(&error);
    ExpressionResult::Error { ename, evalue, traceback }
}

/// An error as Jupyter wants it: a kind, a sentence, and the screen that the prompt would draw.
fn described(error: &ScriptError) -> ReplyError {
    if error.interrupted {
        let said = "stopped".to_string();
        return ReplyError {
            ename: "Stopped".to_string(),
            evalue: said.clone(),
            traceback: vec![said],
        };
    }
    let style = Style { colour: environment::colour_wanted(), ..media::style() };
    ReplyError {
        ename: "Error".to_string(),
        evalue: printable(&error.message),
        traceback: style.script_error(error).lines().map(str::to_string).collect(),
    }
}
