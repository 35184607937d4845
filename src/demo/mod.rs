//! The demo: the whole job on sample mails, with nothing but this program.
//!
//! Real parts: the journal, all actors, a Maildir, the HTTP deliveries. Stand-ins, inside this
//! process and on loopback: the receiver (which verifies the signatures with code of its own)
//! and the R2 Worker.

pub(crate) mod documents;
pub(crate) mod ledger;
pub(crate) mod maildir;
pub(crate) mod narrator;
pub(crate) mod receiver;
pub(crate) mod samples;
pub(crate) mod stage;
pub(crate) mod summary;
pub(crate) mod worker;

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use render_signal_actors::access::links::MagicLinks;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::events::ConfigEvent;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::{Journal, JournalAdmin};
use render_signal_actors::registry::TypedEvent;
use render_signal_actors::system::System;
use secrecy::ExposeSecret as _;

use self::documents::{DemoDocuments, DemoWindow};
use self::maildir::Maildir;
use self::narrator::Narrator;
use self::receiver::DemoReceiver;
use self::samples::{ExpectedOutcome, Sample};
use self::stage::DemoStage;
use self::summary::Summary;
use self::worker::DemoOffloadWorker;
use crate::app::{self, Service, Signals};
use crate::cli::DemoArgs;
use crate::descriptors::Descriptors;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::health::probe::Draining;
use crate::journal::{self, Watched};
use crate::lang::Lang;
use crate::output::{Output, Style};
use crate::settings::{Settings, describe_errors};
use crate::telemetry;

/// The zone of the demo's windows and clocks.
const ZONE: chrono_tz::Tz = chrono_tz::Europe::Paris;
/// Stands wherever a secret has to be set that the demo has no use for, and is what the
/// stand-in of the Worker knows its caller by.
const TOKEN: &str = "a-token-of-the-demo-and-no-secret";
/// How long stopping may take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the demo.
///
/// # Errors
/// When it cannot be set up. Anything lost or wrong is exit code 1.
pub(crate) fn run(args: &DemoArgs) -> CommandResult {
    let lang = args.lang.unwrap_or_else(|| Lang::of_locale(|name| std::env::var(name).ok()));
    app::on_actix(async move {
        let world = World::real();
        let folder = DemoFolder::create(&world)?;
        let mut signals = Signals::listen()?;
        let demo = Demo::prepare(folder.path(), lang, args, world).await?;
        demo.play(&mut signals).await
    })
}

/// A temporary folder; dropping it removes it.
struct DemoFolder(PathBuf);

impl DemoFolder {
    fn create(world: &World) -> Result<Self, CommandFailure> {
        let path = std::env::temp_dir().join(format!("render-signal-demo-{}", world.ids.next().simple()));
        // Mails lie in it: nobody else's business.
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| {
            CommandFailure::found(format!("{} cannot be created: {error}", path.display()))
        })?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        // What is left behind lies in the folder for temporary files.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Everything that plays a part.
struct Demo {
    lang: Lang,
    once: bool,
    world: World,
    stage: DemoStage,
    journal: Arc<Watched>,
    actors: System,
    server: ServerHandle,
    draining: Draining,
    receiver: DemoReceiver,
    maildir: Maildir,
    documents: DemoDocuments,
    samples: Vec<Sample>,
    /// The show is over, and goes on until somebody ends it.
    open_ended: bool,
}

impl Demo {
    async fn prepare(
        folder: &Path,
        lang: Lang,
        args: &DemoArgs,
        world: World,
    ) -> Result<Self, CommandFailure> {
        let maildir = Maildir::create(folder.join("Maildir"))?;
        let documents = DemoDocuments::create(folder.join("config"), ZONE)?;
        let secret = [world.ids.next().into_bytes(), world.ids.next().into_bytes()].concat();
        let receiver = DemoReceiver::new(secret.clone().into(), samples::REFUSED_ONCE, world.clone());
        let address = listen(&receiver, &DemoOffloadWorker::new(TOKEN))?;
        documents.write_all(&address, world.now())?;
        let samples: Vec<_> = samples::first_wave().into_iter().chain(samples::bulk(args.mails)).collect();
        for sample in &samples {
            maildir.drop_mail(sample)?;
        }
        let listener =
            app::listen((Ipv4Addr::LOCALHOST, args.port).into()).map_err(|error| taken(args.port, &error))?;
        let dashboard = format!("http://{}", listener.local_addr()?);
        let settings = settings(
            folder,
            &maildir,
            &documents,
            &DemoAddresses { receiver: &address, dashboard: &dashboard },
            &secret,
        )?;
        let journal = journal::open(&settings.storage.journal, &world).await?;
        let mut stage = DemoStage::new(
            Arc::clone(&journal) as Arc<dyn Journal>,
            Narrator::new(lang, ZONE),
            Output::stdout(),
        );
        welcome(&mut stage, lang, folder, samples.len())?;
        let metrics = telemetry::start_metrics()?;
        let descriptors = Descriptors::raise();
        let service = Service::start(&settings, &journal, &world, listener, metrics, &descriptors).await?;
        let server = service.http.start();
        for line in self::dashboard(lang, &dashboard, &service.links).await? {
            stage.line(&line)?;
        }
        if args.mails > 0 {
            stage.count_to(samples.len());
        }
        Ok(Self {
            lang,
            once: args.once,
            world,
            stage,
            journal,
            actors: service.actors,
            server,
            draining: service.draining,
            receiver,
            maildir,
            documents,
            samples,
            open_ended: false,
        })
    }

    async fn play(mut self, signals: &mut Signals) -> CommandResult {
        let interrupted = self.lang.pick("interrompu", "interrupted");
        let ended = tokio::select! {
            ended = self.acts() => ended,
            _ = signals.next() => Err(CommandFailure::found(interrupted)),
        };
        // Ctrl-C is how the part without an end ends.
        let outcome = if self.open_ended && ended.is_err() { self.summarise().await } else { ended };
        self.draining.begin();
        // What does not end in time ends with the process.
        drop(tokio::time::timeout(SHUTDOWN_TIMEOUT, self.actors.stop("signal")).await);
        drop(tokio::time::timeout(SHUTDOWN_TIMEOUT, self.server.stop(true)).await);
        self.journal.close().await;
        outcome.map(|()| Exit::Ok)
    }

    /// The mails that lie there; then the window closes, and two more arrive.
    async fn acts(&mut self) -> Result<(), CommandFailure> {
        let lang = self.lang;
        let dropped = self.samples.len();
        self.stage.play(|ledger, _| ledger.seen() >= dropped && ledger.settled()).await?;

        self.heading(lang.pick(
            "Un opérateur ferme la fenêtre d'envoi (webhook_config.json), puis deux mails arrivent encore\u{a0}:",
            "An operator closes the delivery window (webhook_config.json), then two more mails arrive:",
        ))?;
        self.set_window(DemoWindow::Closed).await?;
        for sample in samples::second_wave() {
            self.maildir.drop_mail(&sample)?;
            self.samples.push(sample);
        }
        let dropped = self.samples.len();
        self.stage.play(|ledger, _| ledger.seen() >= dropped && ledger.settled()).await?;
        self.summarise().await?;
        if self.once { Ok(()) } else { self.go_on().await }
    }

    /// Rewrites the document and waits until the program has noticed by itself.
    async fn set_window(&mut self, window: DemoWindow) -> Result<(), CommandFailure> {
        self.documents.set_window(window, self.world.now())?;
        let mut noticed = false;
        self.stage
            .play(|_, news| {
                noticed |= news.iter().any(|event| {
                    matches!(event, TypedEvent::Config(ConfigEvent::Changed(changed))
                        if changed.key == Key::WebhookConfig.as_str())
                });
                noticed
            })
            .await?;
        if noticed {
            Ok(())
        } else {
            Err(CommandFailure::found(
                self.lang
                    .pick("le document modifié n'a pas été relu", "the changed document was not read anew"),
            ))
        }
    }

    fn heading(&mut self, text: &str) -> Result<(), CommandFailure> {
        self.stage.line("")?;
        let text = self.stage.out.styled(Style::Bold, text);
        self.stage.line(&text)
    }

    async fn summarise(&mut self) -> Result<(), CommandFailure> {
        let verified = self.journal.verify().await.map_err(|error| journal::refused(&error))?;
        let inbox = self.receiver.inbox();
        let summary = Summary {
            samples: &self.samples,
            ledger: &self.stage.ledger,
            inbox: &inbox,
            verified: &verified,
        };
        let lines = summary.lines(self.lang, self.stage.narrator());
        let problems = summary.problems(self.lang);
        for (style, text) in lines {
            let text = self.stage.out.styled(style, &text);
            self.stage.line(&text)?;
        }
        if problems.is_empty() {
            let text = self.lang.pick("Rien n'a été perdu.", "Nothing was lost.");
            let text = self.stage.out.styled(Style::Good, text);
            return self.stage.line(&text);
        }
        Err(CommandFailure::found(problems.join("\n")))
    }

    /// Opens the window again, which releases what it held, and goes on until it is stopped.
    async fn go_on(&mut self) -> Result<(), CommandFailure> {
        let lang = self.lang;
        self.heading(lang.pick(
            "La fenêtre s'ouvre de nouveau\u{a0}: ce qu'elle retenait part aussitôt.",
            "The window opens again: what it held goes out at once.",
        ))?;
        for sample in &mut self.samples {
            if matches!(sample.expected, ExpectedOutcome::Held(_)) {
                sample.expected = ExpectedOutcome::Delivered("default");
            }
        }
        self.documents.accept_everyone()?;
        self.set_window(DemoWindow::Open).await?;
        self.stage.play(|ledger, _| ledger.settled() && !ledger.holds()).await?;
        for line in invitation(lang, self.maildir.root(), self.documents.folder()) {
            self.stage.line(&line)?;
        }
        self.open_ended = true;
        loop {
            self.stage.play(|_, _| false).await?;
        }
    }
}

fn welcome(stage: &mut DemoStage, lang: Lang, folder: &Path, mails: usize) -> Result<(), CommandFailure> {
    let title = stage.out.styled(
        Style::Bold,
        lang.pick(
            "render-signal\u{a0}: des mails deviennent des webhooks signés, et aucun ne se perd",
            "render-signal: mails become signed webhooks, and none is lost",
        ),
    );
    stage.line(&title)?;
    stage.line(&format!(
        "{mails} {} {}",
        lang.pick(
            "mails attendent dans la boîte\u{a0}; tout se passe dans",
            "mails wait in the mailbox; all of it happens in"
        ),
        folder.display()
    ))?;
    stage.line(lang.pick(
        "La destination est dans ce programme\u{a0}; elle vérifie chaque signature et refuse un webhook une fois.",
        "The receiver is inside this program; it verifies every signature and refuses one webhook once.",
    ))?;
    stage.line("")
}

fn invitation(lang: Lang, maildir: &Path, config: &Path) -> Vec<String> {
    let new = maildir.join("new");
    let journal = config.with_file_name("data").join("render-signal.db");
    vec![
        String::new(),
        lang.pick(
            "La démonstration continue. À vous, dans un autre terminal\u{a0}:",
            "The demo goes on. Your turn, in another terminal:",
        )
        .to_owned(),
        format!("  cp mail.eml {}/{}", new.display(), lang.pick("  # déposer un mail", "  # drop a mail")),
        format!(
            "  $EDITOR {}/webhook_config.json  # {}",
            config.display(),
            lang.pick("changer un réglage", "change a setting")
        ),
        format!("  render-signal events tail --follow --journal {}", journal.display()),
        lang.pick("Ctrl-C termine et efface tout.", "Ctrl-C ends it and removes everything.").to_owned(),
        String::new(),
    ]
}

/// Where things answer, on loopback.
struct DemoAddresses<'p> {
    /// The stand-ins.
    receiver: &'p str,
    dashboard: &'p str,
}

fn taken(port: u16, error: &std::io::Error) -> CommandFailure {
    CommandFailure::found(format!(
        "port {port} cannot be listened on: {error}; choose another one with --port"
    ))
}

/// Where the dashboard is, and a link that lets somebody in once.
async fn dashboard(lang: Lang, address: &str, links: &MagicLinks) -> Result<[String; 3], CommandFailure> {
    let link = links.create(false, "demo").await.map_err(|error| CommandFailure::found(error.to_string()))?;
    let token = link.token.expose_secret();
    Ok([
        lang.say("Le tableau de bord", "The dashboard", address),
        lang.say(
            "On y entre une fois par ce lien",
            "This link lets you in, once",
            &format!("{address}/login/magic/{token}"),
        ),
        String::new(),
    ])
}

/// The stand-ins on a loopback port of their own; returns their base address.
fn listen(receiver: &DemoReceiver, worker: &DemoOffloadWorker) -> Result<String, CommandFailure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let (receiver, worker) = (receiver.clone(), worker.clone());
    let server = HttpServer::new(move || {
        App::new().configure(|app| receiver.configure(app)).configure(|app| worker.configure(app))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    drop(actix_rt::spawn(server));
    Ok(format!("http://{address}"))
}

/// The environment of the demo: what a user would set, and nothing of the user's own.
fn settings(
    folder: &Path,
    maildir: &Maildir,
    documents: &DemoDocuments,
    places: &DemoAddresses<'_>,
    secret: &[u8],
) -> Result<Settings, CommandFailure> {
    let (address, dashboard) = (places.receiver, places.dashboard);
    // Nobody is told these: one comes in by the link.
    let password = STANDARD.encode(secret);
    let environment: HashMap<&str, String> = HashMap::from([
        ("FLASK_SECRET_KEY", password.clone()),
        ("TRIGGER_PAGE_PASSWORD", password.clone()),
        ("PROCESS_API_TOKEN", password),
        ("PUBLIC_BASE_URL", dashboard.to_owned()),
        ("MAIL_SOURCE", format!("maildir:{}", maildir.root().display())),
        ("DATA_DIR", folder.join("data").display().to_string()),
        ("BG_POLLER_LOCK_FILE", folder.join("data/poller.lock").display().to_string()),
        ("CONFIG_DIR", documents.folder().display().to_string()),
        ("POLLING_TIMEZONE", ZONE.to_string()),
        ("WEBHOOK_URL", format!("{address}/hooks/default")),
        ("WEBHOOK_SECRET", format!("whsec_{}", STANDARD.encode(secret))),
        ("WEBHOOK_LINKS_FILE", folder.join("data/webhook_links.json").display().to_string()),
        ("EGRESS_ALLOW_CIDRS", "127.0.0.0/8".to_owned()),
        ("R2_FETCH_ENABLED", "true".to_owned()),
        ("R2_FETCH_ENDPOINT", format!("{address}/worker")),
        ("R2_FETCH_TOKEN", TOKEN.to_owned()),
        ("R2_BUCKET_NAME", "demo".to_owned()),
        ("R2_PUBLIC_BASE_URL", worker::PUBLIC_BASE.to_owned()),
    ]);
    Settings::from_env(|name| environment.get(name).cloned())
        .map_err(|errors| CommandFailure::new(Exit::Config, describe_errors(&errors)))
}
