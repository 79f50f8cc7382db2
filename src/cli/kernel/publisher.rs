//! What everyone who answers is handed: a way to the sockets, and whose request the answers are about.

use std::sync::{Arc, Mutex, PoisonError};

use jupyter_protocol::{ExecutionState, JupyterMessage, JupyterMessageContent, Status};
use tokio::sync::mpsc::UnboundedSender;

/// A message on its way out, by the socket that it leaves through.
pub enum Outgoing {
    Shell(JupyterMessage),
    Published(JupyterMessage),
    /// Nothing comes after this.
    Last,
}

/// Cheap to clone; clones share the request that is being answered.
#[derive(Clone)]
pub struct Publisher {
    out: UnboundedSender<Outgoing>,
    parent: Arc<Mutex<Option<JupyterMessage>>>,
}

impl Publisher {
    pub fn new(out: UnboundedSender<Outgoing>) -> Self {
        Self { out, parent: Arc::default() }
    }

    /// From now on what is published belongs to this request, or to none.
    pub fn belong_to(&self, request: Option<&JupyterMessage>) {
        *self.parent.lock().unwrap_or_else(PoisonError::into_inner) = request.cloned();
    }

    /// Tells every front that is connected.
    pub fn publish(&self, content: impl Into<JupyterMessageContent>) {
        let parent = self.parent.lock().unwrap_or_else(PoisonError::into_inner);
        self.send(Outgoing::Published(published(content, parent.as_ref())));
    }

    /// Answers the one who asked.
    pub fn reply(&self, content: impl Into<JupyterMessageContent>, request: &JupyterMessage) {
        self.send(Outgoing::Shell(JupyterMessage::new(content, Some(request))));
    }

    pub fn state(&self, execution_state: ExecutionState) {
        self.publish(Status { execution_state });
    }

    fn send(&self, message: Outgoing) {
        // The sockets are closed only when the program ends.
        let _ = self.out.send(message);
    }
}

/// A message to everyone: it has no address, only a parent.
pub fn published(
    content: impl Into<JupyterMessageContent>,
    parent: Option<&JupyterMessage>,
) -> JupyterMessage {
    JupyterMessage::new(content, parent).with_zmq_identities(Vec::new())
}
