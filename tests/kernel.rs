//! The kernel as a front of Jupyter meets it: the program is started through a connection file, and a client of Jupyter's own
//! messages asks it for what people ask for.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jupyter_protocol::{
    CompleteRequest, ConnectionInfo, ExecuteReply, ExecuteRequest, ExecutionState, InspectRequest,
    InterruptRequest, IsCompleteReplyStatus, IsCompleteRequest, JupyterMessage,
    JupyterMessageContent, KernelInfoRequest, Media, MediaType, ReplyStatus, ShutdownRequest,
    Transport,
};
use jupyter_zmq_client::{
    ClientControlConnection, ClientIoPubConnection, ClientShellConnection,
    create_client_control_connection, create_client_iopub_connection,
    create_client_shell_connection_with_identity, peek_ports_with_listeners,
    peer_identity_for_session,
};

/// Longer than any answer takes on a machine that has other work to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// A started kernel with a client. The program ends with it.
struct Kernel {
    program: Child,
    connection: ConnectionInfo,
    shell: ClientShellConnection,
    control: ClientControlConnection,
    published: ClientIoPubConnection,
    _folder: tempfile::TempDir,
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// What a cell came to: its reply and what was published about it.
struct Ran {
    reply: ExecuteReply,
    published: Vec<JupyterMessageContent>,
}

impl Ran {
    fn printed(&self) -> String {
        let text = self.published.iter().filter_map(|content| match content {
            JupyterMessageContent::StreamContent(stream) => Some(stream.text.as_str()),
            _ => None,
        });
        text.collect()
    }

    fn result(&self) -> &Media {
        let mut found = self.published.iter().filter_map(|content| match content {
            JupyterMessageContent::ExecuteResult(result) => Some(&result.data),
            _ => None,
        });
        found.next().expect("a result")
    }
}

fn form<'a>(media: &'a Media, name: &str) -> &'a str {
    let found = media.content.iter().find(|form| form.mime_type() == name);
    match found.unwrap_or_else(|| panic!("no {name} in {media:?}")) {
        MediaType::Plain(text) | MediaType::Html(text) | MediaType::Svg(text) => text,
        other => panic!("{other:?}"),
    }
}

async fn connection() -> ConnectionInfo {
    let (ports, _held) = peek_ports_with_listeners("127.0.0.1".parse().unwrap(), 5).await.unwrap();
    ConnectionInfo {
        ip: "127.0.0.1".to_string(),
        transport: Transport::TCP,
        shell_port: ports[0],
        iopub_port: ports[1],
        stdin_port: ports[2],
        control_port: ports[3],
        hb_port: ports[4],
        key: "a secret of the test".to_string(),
        signature_scheme: "hmac-sha256".to_string(),
        kernel_name: Some("ebb".to_string()),
    }
}

fn started(connection: &ConnectionInfo, folder: &tempfile::TempDir) -> Command {
    let file = folder.path().join("connection.json");
    std::fs::write(&file, serde_json::to_string(connection).unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb"));
    command
        .args(["kernel", "run"])
        .arg(&file)
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

impl Kernel {
    async fn start() -> Self {
        let connection = connection().await;
        let folder = tempfile::tempdir().unwrap();
        let program = started(&connection, &folder).spawn().unwrap();
        let session = "session-of-the-test";
        let began = Instant::now();
        let mut shell = loop {
            let identity = peer_identity_for_session(session).unwrap();
            match create_client_shell_connection_with_identity(&connection, session, identity).await
            {
                Ok(shell) => break shell,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let control = create_client_control_connection(&connection, session).await.unwrap();
        let mut published = create_client_iopub_connection(&connection, "", session).await.unwrap();
        // A subscription takes a moment to arrive; until then, what is published passes by.
        loop {
            shell.send(KernelInfoRequest {}.into()).await.unwrap();
            shell.read().await.unwrap();
            let heard = tokio::time::timeout(Duration::from_millis(200), published.read()).await;
            if heard.is_ok() {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "nothing was published");
        }
        Self { program, connection, shell, control, published, _folder: folder }
    }

    async fn ask(&mut self, content: impl Into<JupyterMessageContent>) -> JupyterMessageContent {
        self.shell.send(JupyterMessage::new(content, None)).await.unwrap();
        self.reply().await.content
    }

    async fn reply(&mut self) -> JupyterMessage {
        tokio::time::timeout(PATIENCE, self.shell.read()).await.expect("a reply").unwrap()
    }

    async fn heard(&mut self) -> JupyterMessage {
        tokio::time::timeout(PATIENCE, self.published.read()).await.expect("a message").unwrap()
    }

    /// Sends a cell and returns its message's name.
    async fn send(&mut self, code: &str) -> String {
        let message = JupyterMessage::new(ExecuteRequest::new(code.to_string()), None);
        let name = message.header.msg_id.clone();
        self.shell.send(message).await.unwrap();
        name
    }

    /// What is published about a request until the kernel is idle again.
    async fn until_idle(&mut self, name: &str) -> Vec<JupyterMessageContent> {
        let mut contents = Vec::new();
        loop {
            let message = self.heard().await;
            if message.parent_header.as_ref().is_none_or(|parent| parent.msg_id != name) {
                continue;
            }
            match message.content {
                JupyterMessageContent::Status(status)
                    if status.execution_state == ExecutionState::Idle =>
                {
                    return contents;
                }
                content => contents.push(content),
            }
        }
    }

    async fn executed(&mut self) -> ExecuteReply {
        match self.reply().await.content {
            JupyterMessageContent::ExecuteReply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    async fn run(&mut self, code: &str) -> Ran {
        let name = self.send(code).await;
        let published = self.until_idle(&name).await;
        Ran { reply: self.executed().await, published }
    }

    async fn interrupt(&mut self) {
        self.control.send(InterruptRequest {}.into()).await.unwrap();
    }
}

fn with_kernel(work: impl AsyncFnOnce(&mut Kernel)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut kernel = Kernel::start().await;
        work(&mut kernel).await;
    });
}

#[test]
fn a_kernel_says_what_it_is() {
    with_kernel(async |kernel| {
        let JupyterMessageContent::KernelInfoReply(reply) = kernel.ask(KernelInfoRequest {}).await
        else {
            panic!("no answer");
        };
        assert_eq!(reply.implementation, "ebb");
        assert_eq!(reply.language_info.name, "rhai");
        assert_eq!(reply.language_info.file_extension.as_deref(), Some(".rhai"));
        assert!(reply.protocol_version.starts_with("5."));
    });
}

#[test]
fn what_a_cell_prints_comes_while_it_runs_and_its_value_at_the_end() {
    with_kernel(async |kernel| {
        let name = kernel.send("print(\"first\"); loop {}").await;
        // The cell has no end: what it printed has come all the same.
        loop {
            if let JupyterMessageContent::StreamContent(stream) = kernel.heard().await.content {
                assert_eq!(stream.text, "first\n");
                break;
            }
        }
        kernel.interrupt().await;
        kernel.until_idle(&name).await;
        kernel.executed().await;
        let ran = kernel.run("for i in 0..3 { print(i); }\n6 * 7").await;
        assert_eq!(ran.printed(), "0\n1\n2\n");
        assert_eq!(form(ran.result(), "text/plain"), "42");
        assert_eq!(ran.reply.execution_count.value(), 2);
    });
}

#[test]
fn tables_are_html_and_charts_are_drawings_with_plain_text_beside_them() {
    with_kernel(async |kernel| {
        let ran = kernel.run("frame(#{ word: [\"<b>ebb</b>\", \"flow\"], n: [3, 4] })").await;
        let html = form(ran.result(), "text/html");
        assert!(html.contains("&lt;b&gt;ebb&lt;/b&gt;") && !html.contains("<b>"), "{html}");
        assert_eq!(html.matches("<tr>").count(), 3, "{html}");
        assert!(form(ran.result(), "text/plain").contains("flow"));
        let code = "plot(frame(#{ x: [1, 2], y: [2.0, 3.0] }), #{ x: \"x\", y: \"y\" })";
        let ran = kernel.run(code).await;
        let drawing = form(ran.result(), "image/svg+xml");
        assert!(drawing.starts_with("<svg") && drawing.trim_end().ends_with("</svg>"), "{drawing}");
        assert!(!form(ran.result(), "text/plain").contains('\u{1b}'));
    });
}

#[test]
fn an_error_names_its_cell_and_line_and_what_to_try() {
    with_kernel(async |kernel| {
        kernel.run("let rows = frame(#{ text: [\"a\"] });\nfn broken(rows) {\n  rows.select([\"txet\"])\n}").await;
        let ran = kernel.run("\nrows.select([\"txet\"])").await;
        assert_eq!(ran.reply.status, ReplyStatus::Error);
        let error = ran.reply.error.as_ref().unwrap();
        assert!(error.evalue.contains("txet"), "{}", error.evalue);
        let screen = error.traceback.join("\n");
        assert!(screen.contains("cell [2]:2:"), "{screen}");
        assert!(screen.contains("help:") && screen.contains("text"), "{screen}");
        let published = ran.published.iter().any(|content| {
            matches!(content, JupyterMessageContent::ErrorOutput(shown) if shown.evalue == error.evalue)
        });
        assert!(published);
        // The fault lies in a function of the first cell.
        let ran = kernel.run("broken(rows)").await;
        let screen = ran.reply.error.unwrap().traceback.join("\n");
        assert!(screen.contains("cell [1]:3:"), "{screen}");
        assert!(screen.contains("called at line 1 of cell [3]"), "{screen}");
    });
}

#[test]
fn an_error_says_what_it_says_in_a_run() {
    with_kernel(async |kernel| {
        for script in ["let x = 1 if true else 2;", "read_csv(\"rows.csv\")", "let y = True;"] {
            let folder = tempfile::tempdir().unwrap();
            let expected = crate::support::script_in(folder.path(), script).unwrap_err();
            let ran = kernel.run(script).await;
            let error = ran.reply.error.unwrap();
            assert!(error.evalue.contains(&expected.message), "{}", error.evalue);
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let screen = words(&error.traceback.join("\n"));
            assert!(screen.contains(&words(&expected.hint.unwrap())), "{screen}");
        }
    });
}

#[test]
fn a_console_learns_whether_a_cell_is_complete() {
    with_kernel(async |kernel| {
        let mut status =
            async |code: &str| match kernel.ask(IsCompleteRequest { code: code.to_string() }).await
            {
                JupyterMessageContent::IsCompleteReply(reply) => (reply.status, reply.indent),
                other => panic!("{other:?}"),
            };
        let unfinished = status("for i in 0..3 {").await;
        assert_eq!(unfinished, (IsCompleteReplyStatus::Incomplete, "    ".to_string()));
        assert_eq!(status("for i in 0..3 { }").await.0, IsCompleteReplyStatus::Complete);
    });
}

#[test]
fn names_are_completed_and_explained() {
    with_kernel(async |kernel| {
        kernel.run("let lion_of_rows = 1;").await;
        let request = CompleteRequest { code: "\"ö\" + lio".to_string(), cursor_pos: 9 };
        let JupyterMessageContent::CompleteReply(reply) = kernel.ask(request).await else {
            panic!("no answer");
        };
        assert_eq!(reply.matches, ["lion_of_rows"]);
        // Places count characters, not bytes.
        assert_eq!((reply.cursor_start, reply.cursor_end), (6, 9));
        let request = CompleteRequest { code: "m0.finet".to_string(), cursor_pos: 8 };
        let JupyterMessageContent::CompleteReply(reply) = kernel.ask(request).await else {
            panic!("no answer");
        };
        assert_eq!(reply.matches, ["finetune"]);
        for (code, cursor_pos) in [("m0.finetune(rows)", 5), ("m0.finetune(", 12)] {
            let request =
                InspectRequest { code: code.to_string(), cursor_pos, detail_level: Some(0) };
            let JupyterMessageContent::InspectReply(reply) = kernel.ask(request).await else {
                panic!("no answer");
            };
            assert!(reply.found);
            assert!(form(&reply.data, "text/plain").contains("finetune("));
        }
        let request = InspectRequest { code: "nothing_of_this".to_string(), ..Default::default() };
        let JupyterMessageContent::InspectReply(reply) = kernel.ask(request).await else {
            panic!("no answer");
        };
        assert!(!reply.found);
    });
}

#[test]
fn an_endless_loop_is_stopped_within_a_second_and_variables_stay() {
    with_kernel(async |kernel| {
        kernel.run("let kept = 17;").await;
        let name = kernel.send("print(\"begun\"); loop { kept += 0; }").await;
        while !matches!(kernel.heard().await.content, JupyterMessageContent::StreamContent(_)) {}
        let asked = Instant::now();
        kernel.interrupt().await;
        kernel.until_idle(&name).await;
        let reply = kernel.executed().await;
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        assert_eq!(reply.error.unwrap().ename, "Stopped");
        assert_eq!(form(kernel.run("kept").await.result(), "text/plain"), "17");
    });
}

#[test]
fn cells_sent_behind_one_that_fails_are_not_run() {
    with_kernel(async |kernel| {
        kernel.send("let n = 1; throw \"no\"").await;
        kernel.send("n = 2;").await;
        let last = kernel.send("n = 3;").await;
        let mut status = Vec::new();
        for _ in 0..3 {
            status.push(kernel.executed().await.status);
        }
        assert_eq!(status, [ReplyStatus::Error, ReplyStatus::Aborted, ReplyStatus::Aborted]);
        kernel.until_idle(&last).await;
        assert_eq!(form(kernel.run("n").await.result(), "text/plain"), "1");
    });
}

#[test]
fn a_message_with_a_wrong_signature_is_not_answered() {
    with_kernel(async |kernel| {
        let stranger = ConnectionInfo { key: "a guess".to_string(), ..kernel.connection.clone() };
        let identity = peer_identity_for_session("stranger").unwrap();
        let mut shell =
            create_client_shell_connection_with_identity(&stranger, "stranger", identity)
                .await
                .unwrap();
        let code = "let stolen = 1;".to_string();
        shell.send(ExecuteRequest::new(code).into()).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_millis(500), shell.read()).await;
        assert!(answer.is_err(), "a stranger was answered");
        assert_eq!(kernel.run("stolen").await.reply.status, ReplyStatus::Error);
    });
}

#[test]
fn a_kernel_ends_when_it_is_asked_to_even_while_it_computes() {
    with_kernel(async |kernel| {
        kernel.send("print(\"begun\"); loop {}").await;
        while !matches!(kernel.heard().await.content, JupyterMessageContent::StreamContent(_)) {}
        kernel.control.send(ShutdownRequest { restart: true }.into()).await.unwrap();
        let reply = tokio::time::timeout(PATIENCE, kernel.control.read()).await.unwrap().unwrap();
        let JupyterMessageContent::ShutdownReply(reply) = reply.content else {
            panic!("no answer");
        };
        assert!(reply.restart);
        let asked = Instant::now();
        while kernel.program.try_wait().unwrap().is_none() {
            assert!(asked.elapsed() < Duration::from_secs(10), "still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(kernel.program.wait().unwrap().code(), Some(0));
    });
}

#[test]
fn a_kernel_without_a_key_is_not_opened() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connection = runtime.block_on(connection());
    let folder = tempfile::tempdir().unwrap();
    let open = ConnectionInfo { key: String::new(), ..connection };
    let output = started(&open, &folder).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("has no key"), "{said}");
}

#[test]
fn installing_tells_jupyter_how_to_start_the_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ebb"))
        .args(["kernel", "install", "--offline", "--prefix"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let file = folder.path().join("share/jupyter/kernels/ebb/kernel.json");
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let words: Vec<&str> =
        written["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(words[1..], ["kernel", "run", "--offline", "{connection_file}"]);
    assert_eq!(written["interrupt_mode"], "message");
}
