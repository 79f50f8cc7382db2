//! The kernel's sockets, served on a thread of their own so that an interrupt is heard while the session computes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use jupyter_protocol::{
    ConnectionInfo, ExecutionState, InterruptReply, JupyterMessage, JupyterMessageContent,
    ShutdownReply, Status, StreamContent,
};
use jupyter_zmq_client::{
    KernelControlConnection, KernelHeartbeatConnection, KernelIoPubConnection,
    KernelShellConnection, KernelStdinConnection, RouterRecvConnection, RouterSendConnection,
    create_kernel_control_connection, create_kernel_heartbeat_connection,
    create_kernel_iopub_connection, create_kernel_shell_connection, create_kernel_stdin_connection,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::answers;
use super::publisher::{Outgoing, published};
use crate::cli::exit::DONE;
use crate::control;
use crate::error::{Error, Result};
use crate::place;

/// How long is waited after a message that could not be read, so that a broken socket does not take a whole core.
const PAUSE: Duration = Duration::from_millis(20);
/// How long work under way may take to hear that the kernel shall end.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Bytes of printed text that are joined to one message.
const JOINED: usize = 1 << 16;

/// What reaches the session's thread.
pub enum Incoming {
    Request(Box<JupyterMessage>),
    /// The kernel shall end.
    End,
}

/// The sockets' thread.
pub struct Sockets {
    pub out: UnboundedSender<Outgoing>,
    thread: std::thread::JoinHandle<()>,
}

impl Sockets {
    /// Binds the sockets, only at the address of the connection file, and serves them.
    pub fn open(
        connection: ConnectionInfo,
        stop: Arc<AtomicBool>,
        requests: Sender<Incoming>,
    ) -> Result<Self> {
        let (out, outgoing) = unbounded_channel();
        let (opened, is_open) = channel();
        let inner = out.clone();
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = opened.send(Err(Error::failed(format!("the sockets: {error}"))));
                    return;
                }
            };
            runtime.block_on(async move {
                match Bound::new(&connection).await {
                    Ok(bound) => {
                        let _ = opened.send(Ok(()));
                        bound.serve(Doors { stop, requests, out: inner }, outgoing).await;
                    }
                    Err(error) => {
                        let _ = opened.send(Err(error));
                    }
                }
            });
        };
        let thread = std::thread::Builder::new()
            .spawn(serve)
            .map_err(|error| Error::failed(format!("the system gives no thread: {error}")))?;
        is_open.recv().unwrap_or_else(|_| Err(Error::failed("the sockets' thread ended")))?;
        Ok(Self { out, thread })
    }

    /// Waits until everything that was said has left.
    pub fn close(self) {
        let _ = self.out.send(Outgoing::Last);
        let _ = self.thread.join();
    }
}

/// What the sockets' tasks share.
struct Doors {
    stop: Arc<AtomicBool>,
    requests: Sender<Incoming>,
    out: UnboundedSender<Outgoing>,
}

struct Bound {
    shell: KernelShellConnection,
    control: KernelControlConnection,
    published: KernelIoPubConnection,
    stdin: KernelStdinConnection,
    heartbeat: KernelHeartbeatConnection,
}

impl Bound {
    async fn new(connection: &ConnectionInfo) -> Result<Self> {
        // Every message of one kernel has the same session; a message's own name is a new one, and serves.
        let session = JupyterMessage::new(InterruptReply::new(), None).header.msg_id;
        let failed = |what: &str, port: u16, error: jupyter_zmq_client::RuntimeError| {
            Error::failed_with_hint(
                format!("the {what} socket at {}, port {port}: {error}", connection.ip),
                "another program may have the port; let Jupyter write a new connection file",
            )
        };
        Ok(Self {
            published: create_kernel_iopub_connection(connection, &session)
                .await
                .map_err(|error| failed("iopub", connection.iopub_port, error))?,
            shell: create_kernel_shell_connection(connection, &session)
                .await
                .map_err(|error| failed("shell", connection.shell_port, error))?,
            control: create_kernel_control_connection(connection, &session)
                .await
                .map_err(|error| failed("control", connection.control_port, error))?,
            stdin: create_kernel_stdin_connection(connection, &session)
                .await
                .map_err(|error| failed("stdin", connection.stdin_port, error))?,
            heartbeat: create_kernel_heartbeat_connection(connection)
                .await
                .map_err(|error| failed("heartbeat", connection.hb_port, error))?,
        })
    }

    /// Serves until the last message has left.
    async fn serve(self, doors: Doors, outgoing: UnboundedReceiver<Outgoing>) {
        let (replies, requests) = self.shell.split();
        tokio::spawn(beat(self.heartbeat));
        tokio::spawn(take_in(requests, doors.requests.clone()));
        tokio::spawn(listen(self.control, doors));
        // Bound, as the protocol asks for it; input is never requested.
        let _stdin = self.stdin;
        send(replies, self.published, outgoing).await;
    }
}

/// Answers each beat of the front's.
async fn beat(mut heartbeat: KernelHeartbeatConnection) {
    loop {
        if heartbeat.single_heartbeat().await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Hands requests on to the session. A message that is none, or whose signature is wrong, is not answered.
async fn take_in(mut shell: RouterRecvConnection, requests: Sender<Incoming>) {
    loop {
        match shell.read().await {
            Ok(request) => {
                if requests.send(Incoming::Request(Box::new(request))).is_err() {
                    return;
                }
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Answers what may not wait for the session: interrupts and the end.
async fn listen(mut control: KernelControlConnection, doors: Doors) {
    loop {
        let request = match control.read().await {
            Ok(request) => request,
            Err(_) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let tell = |execution_state| {
            let status = Status { execution_state };
            let _ = doors.out.send(Outgoing::Published(published(status, Some(&request))));
        };
        tell(ExecutionState::Busy);
        let mut ends = false;
        let reply: Option<JupyterMessageContent> = match &request.content {
            JupyterMessageContent::InterruptRequest(_) => {
                control::make_unheard();
                doors.stop.store(true, Ordering::Relaxed);
                Some(InterruptReply::new().into())
            }
            JupyterMessageContent::ShutdownRequest(asked) => {
                ends = true;
                let reply = ShutdownReply { restart: asked.restart, ..Default::default() };
                Some(reply.into())
            }
            JupyterMessageContent::KernelInfoRequest(_) => Some(answers::about().into()),
            _ => None,
        };
        if let Some(reply) = reply {
            let _ = control.send(JupyterMessage::new(reply, Some(&request))).await;
        }
        tell(ExecutionState::Idle);
        if ends {
            return end(&doors).await;
        }
    }
}

/// Asks the session to end, and ends the program where a single call does not hear it.
async fn end(doors: &Doors) {
    control::make_unheard();
    doors.stop.store(true, Ordering::Relaxed);
    let _ = doors.requests.send(Incoming::End);
    tokio::time::sleep(PATIENCE).await;
    // Work that has heard it may take its time to leave things in order.
    if !control::is_heard() {
        place::abandon();
        std::process::exit(i32::from(DONE));
    }
}

/// Sends what the session says, in order. Text printed faster than it leaves is joined.
async fn send(
    mut shell: RouterSendConnection,
    mut everyone: KernelIoPubConnection,
    mut outgoing: UnboundedReceiver<Outgoing>,
) {
    let mut held: Option<Outgoing> = None;
    loop {
        let next = match held.take() {
            Some(message) => Some(message),
            None => outgoing.recv().await,
        };
        // Whoever has gone away is not told; the others are.
        match next {
            None | Some(Outgoing::Last) => break,
            Some(Outgoing::Shell(message)) => {
                let _ = shell.send(message).await;
            }
            Some(Outgoing::Published(mut message)) => {
                held = joined(&mut message, &mut outgoing);
                let _ = everyone.send(message).await;
            }
        }
    }
    // The last frames are with the system by then.
    tokio::time::sleep(PAUSE).await;
}

/// Appends the printed text that waits behind a message of printed text; gives back the first message of another kind.
fn joined(
    message: &mut JupyterMessage,
    outgoing: &mut UnboundedReceiver<Outgoing>,
) -> Option<Outgoing> {
    let JupyterMessageContent::StreamContent(text) = &mut message.content else {
        return None;
    };
    while text.text.len() < JOINED {
        let next = outgoing.try_recv().ok()?;
        match &next {
            Outgoing::Published(other) => match &other.content {
                JupyterMessageContent::StreamContent(more)
                    if is_same(text, more) && is_sibling(&message.parent_header, other) =>
                {
                    text.text.push_str(&more.text);
                }
                _ => return Some(next),
            },
            _ => return Some(next),
        }
    }
    None
}

fn is_same(one: &StreamContent, other: &StreamContent) -> bool {
    std::mem::discriminant(&one.name) == std::mem::discriminant(&other.name)
}

fn is_sibling(parent: &Option<jupyter_protocol::Header>, other: &JupyterMessage) -> bool {
    let name = |header: &Option<jupyter_protocol::Header>| {
        header.as_ref().map(|header| header.msg_id.clone())
    };
    name(parent) == name(&other.parent_header)
}
