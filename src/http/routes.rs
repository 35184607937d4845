//! The table of every address: who may use it, what body it takes, who answers.
//!
//! Nothing is registered beside it, so what holds for the table holds for the program: the
//! [guard](super::access::guard) is around every resource, a method that is not listed is
//! answered 405, and a body is read only where one is listed.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::LazyLock;

use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, guard, web};

use super::access::{self, ApiScope};
use super::problem::{HttpProblem, ProblemKind, RefusalFormat};
use super::{compat, openapi, pages, public, v1};

/// Who may use an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteAccess {
    /// Anybody.
    Stranger,
    /// Who has logged in.
    Session,
    /// Who has logged in, and `PROCESS_API_TOKEN` where `API_TOKEN_SCOPES` has the scope.
    Api(ApiScope),
    /// `TEST_API_KEY` in `X-API-Key`.
    TestKey,
    /// `PROCESS_API_TOKEN`.
    Ingress,
    /// The handler looks for itself: it has a token of its own, or shows more to some.
    Own,
}

/// The body that a request may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// None: what is sent is not read.
    Nothing,
    /// JSON, at most 1 MiB.
    Json,
    /// A form (`application/x-www-form-urlencoded`), at most 16 KiB: strangers send them, on as many
    /// connections as there are.
    Form,
    /// A form of a page behind the login, which may have a whole document: at most 256 KiB.
    LongForm,
    /// A mail, as its source or within JSON, at most 25 MiB.
    Mail,
}

impl Takes {
    /// Bytes.
    pub(crate) const fn most(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Form => 16 * 1024,
            Self::LongForm => 256 * 1024,
            Self::Json => 1024 * 1024,
            Self::Mail => render_signal_actors::ingress::LARGEST,
        }
    }
}

/// One method of one address.
#[derive(Clone)]
pub(crate) struct Route {
    /// GET stands for HEAD, too.
    pub(crate) method: Method,
    /// As actix writes patterns: `/api/v1/mails/{id}`.
    pub(crate) path: &'static str,
    /// Who may.
    pub(crate) access: RouteAccess,
    /// What body.
    pub(crate) takes: Takes,
    /// In which shape it is refused.
    pub(crate) format: RefusalFormat,
    /// Its answer opens something, so that it is kept nowhere.
    pub(crate) secret: bool,
    /// Reading it costs work: another site has no browser read it behind a person's back.
    pub(crate) costly: bool,
    /// Who answers.
    handler: fn() -> actix_web::Route,
}

impl Route {
    /// Any method; no body, and refusals as problem documents, until something else is said.
    pub(crate) fn new(
        method: Method,
        path: &'static str,
        access: RouteAccess,
        handler: fn() -> actix_web::Route,
    ) -> Self {
        Self {
            method,
            path,
            access,
            takes: Takes::Nothing,
            format: RefusalFormat::Problem,
            secret: false,
            costly: false,
            handler,
        }
    }

    /// GET and HEAD.
    pub(crate) fn get(path: &'static str, access: RouteAccess, handler: fn() -> actix_web::Route) -> Self {
        Self::new(Method::GET, path, access, handler)
    }

    pub(crate) fn post(path: &'static str, access: RouteAccess, handler: fn() -> actix_web::Route) -> Self {
        Self::new(Method::POST, path, access, handler)
    }

    pub(crate) fn put(path: &'static str, access: RouteAccess, handler: fn() -> actix_web::Route) -> Self {
        Self::new(Method::PUT, path, access, handler)
    }

    pub(crate) fn patch(path: &'static str, access: RouteAccess, handler: fn() -> actix_web::Route) -> Self {
        Self::new(Method::PATCH, path, access, handler)
    }

    pub(crate) fn delete(path: &'static str, access: RouteAccess, handler: fn() -> actix_web::Route) -> Self {
        Self::new(Method::DELETE, path, access, handler)
    }

    /// With a body.
    pub(crate) const fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    /// With an answer that opens something: it is not kept for a repetition.
    pub(crate) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// With an answer that costs work, such as a copy of everything: other sites may lead a person
    /// there, but not have a browser fetch it as a picture of theirs.
    pub(crate) const fn costly(mut self) -> Self {
        self.costly = true;
        self
    }

    /// Refused in another shape.
    pub(crate) const fn format(mut self, format: RefusalFormat) -> Self {
        self.format = format;
        self
    }
}

/// Every route.
pub(crate) fn table() -> Vec<Route> {
    [public::routes(), pages::routes(), compat::routes(), v1::routes(), openapi::routes()].concat()
}

/// The bodies that an address takes, by method; made once.
struct AcceptedBodies {
    fixed: HashMap<&'static str, Vec<(Method, Takes)>>,
    patterns: Vec<(ResourceDef, Vec<(Method, Takes)>)>,
}

static BODIES: LazyLock<AcceptedBodies> = LazyLock::new(|| {
    let mut fixed: HashMap<&'static str, Vec<(Method, Takes)>> = HashMap::new();
    for route in table().into_iter().filter(|route| route.takes != Takes::Nothing) {
        fixed.entry(route.path).or_default().push((route.method, route.takes));
    }
    let paths: Vec<&str> = fixed.keys().copied().filter(|path| path.contains('{')).collect();
    let patterns =
        paths.into_iter().filter_map(|path| Some((ResourceDef::new(path), fixed.remove(path)?))).collect();
    AcceptedBodies { fixed, patterns }
});

/// What body the address takes, the path being as the router sees it. For an address that does
/// not exist: none.
pub(super) fn takes(method: &Method, path: &str) -> Takes {
    let bodies = &*BODIES;
    let found = bodies.fixed.get(path).or_else(|| {
        bodies.patterns.iter().find(|(pattern, _)| pattern.is_match(path)).map(|(_, takes)| takes)
    });
    let takes = found.into_iter().flatten().find(|(one, _)| one == method);
    takes.map_or(Takes::Nothing, |(_, takes)| *takes)
}

/// Registers the table.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    let mut paths: Vec<(&'static str, Vec<Route>)> = Vec::new();
    for route in table() {
        match paths.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, routes)) => routes.push(route),
            None => paths.push((route.path, vec![route])),
        }
    }
    // A router asks one after the other: those without a variable part come first.
    paths.sort_by_key(|(path, _)| path.contains('{'));
    for (path, routes) in paths {
        let allow = allow(&routes);
        let mut resource = web::resource(path);
        for route in &routes {
            let method = route.method.clone();
            let handler = (route.handler)();
            resource = resource.route(if method == Method::GET {
                handler.guard(guard::Any(guard::Get()).or(guard::Head()))
            } else {
                handler.method(method)
            });
        }
        // As the address refuses everything else.
        let format = routes.first().map_or(RefusalFormat::Problem, |route| route.format);
        let for_tests = path.starts_with("/api/test/");
        let resource = resource.default_service(web::to(move |request: HttpRequest| {
            let allow = allow.clone();
            async move { not_allowed(&request, allow, format) }
        }));
        let routes: Rc<[Route]> = routes.into();
        let resource = resource.wrap(from_fn(move |request, next| {
            let routes = Rc::clone(&routes);
            async move { access::guard(&routes, request, next).await }
        }));
        if for_tests {
            app.service(resource.wrap(from_fn(compat::cors::around)));
        } else {
            app.service(resource);
        }
    }
    app.default_service(web::to(not_found));
}

fn allow(routes: &[Route]) -> HeaderValue {
    let mut methods: Vec<&str> = Vec::new();
    for route in routes {
        methods.push(route.method.as_str());
        if route.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods.push("OPTIONS");
    HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}

fn not_allowed(request: &HttpRequest, allow: HeaderValue, format: RefusalFormat) -> HttpResponse {
    let mut response = if request.method() == Method::OPTIONS {
        HttpResponse::NoContent().finish()
    } else {
        let methods = allow.to_str().unwrap_or_default();
        let why = match format {
            RefusalFormat::Reference => {
                format!("Méthode non autorisée : cette adresse n'accepte que {methods}.")
            }
            RefusalFormat::Problem | RefusalFormat::Page => format!("this address answers {methods} only"),
        };
        HttpProblem::new(ProblemKind::MethodNotAllowed, why).answer_as(format, request)
    };
    response.headers_mut().insert(ALLOW, allow);
    response
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    let format =
        if request.path().starts_with("/api/") { RefusalFormat::Problem } else { RefusalFormat::Page };
    HttpProblem::new(ProblemKind::NotFound, "nothing lives at this address").answer_as(format, &request)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_address_has_a_method_twice_and_no_get_takes_a_body() {
        let mut seen = HashSet::new();
        for route in table() {
            let name = format!("{} {}", route.method, route.path);
            assert!(route.method != Method::GET || route.takes == Takes::Nothing, "{name} takes a body");
            assert!(seen.insert(name.clone()), "{name} is listed twice");
        }
    }

    #[test]
    fn what_a_stranger_may_use_is_listed_here_too() {
        let open: Vec<String> = table()
            .into_iter()
            .filter(|route| matches!(route.access, RouteAccess::Stranger | RouteAccess::Own))
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        assert_eq!(
            open,
            [
                "GET /health",
                "GET /livez",
                "GET /readyz",
                "GET /metrics",
                "GET /docs/errors",
                "GET /static/{hash}/{name}",
                "GET /manifest.webmanifest",
                "GET /favicon.ico",
                // A choice of language or theme, which the browser keeps.
                "POST /preferences",
                "GET /login",
                "POST /login",
                "GET /login/magic/{token}",
                "POST /login/magic/{token}",
                "GET /logout",
                "POST /logout",
                "GET /config_api.php",
                "POST /config_api.php",
                // These four refuse, in the words of the page that they stand for.
                "PUT /config_api.php",
                "PATCH /config_api.php",
                "DELETE /config_api.php",
                "OPTIONS /config_api.php",
                "GET /api/ping",
            ],
            "whoever opens an address to strangers says so here"
        );
    }

    #[test]
    fn a_body_is_read_where_one_is_taken_and_nowhere_else() {
        for (method, path, takes) in [
            (Method::POST, "/config_api.php", Takes::Json),
            (Method::GET, "/config_api.php", Takes::Nothing),
            (Method::POST, "/config_api.php/", Takes::Nothing),
            (Method::POST, "/health", Takes::Nothing),
            (Method::POST, "/nowhere", Takes::Nothing),
        ] {
            assert_eq!(super::takes(&method, path), takes, "{method} {path}");
        }
    }
}
