//! What stands around every address of the table: nobody comes to a handler whom its entry
//! does not let in, and what a handler refuses is said in the shape of its address.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, web};

use crate::http::problem::{HttpProblem, ProblemKind, RefusalFormat};
use crate::http::routes::Route;
use crate::http::{HttpState, idempotency, pages};

/// Lets a request through to one of the `routes` of its address, or answers it.
pub(in crate::http) async fn guard(
    routes: &[Route],
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(route) = entry(routes, request.method()) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let seen = match request.app_data::<web::Data<HttpState>>() {
        Some(state) => state.access.enter(route, request.request()).await,
        None => Err(HttpProblem::new(ProblemKind::Internal, "the server has no state")),
    };
    let caller = match seen {
        Ok(caller) => caller,
        // Another site cannot have us show its words.
        Err(problem)
            if route.format == RefusalFormat::Page
                && pages::is_late_form(request.request(), &problem)
                && comes_from_here(&request) =>
        {
            return Ok(pages::expired(request).await);
        }
        Err(problem) => {
            let answer = problem.answer_as(route.format, request.request());
            return Ok(request.into_response(answer));
        }
    };
    request.extensions_mut().insert(caller.clone());
    let changes = !request.method().is_safe();
    let answered = idempotency::once(route, &caller, request, next).await?;
    if let Some(state) = answered.request().app_data::<web::Data<HttpState>>().filter(|_| changes) {
        // Before the answer is sent: the page behind a form shows what the form has done.
        state.recent.forget();
    }
    Ok(answered)
}

fn comes_from_here(request: &ServiceRequest) -> bool {
    let state = request.app_data::<web::Data<HttpState>>();
    state.is_some_and(|state| state.access.check_origin(request.request()).is_ok())
}

/// The entry for a method; HEAD is GET.
fn entry<'r>(routes: &'r [Route], method: &Method) -> Option<&'r Route> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    routes.iter().find(|route| route.method == *method)
}

/// What a handler refused, in the shape of its address and with what was asked for.
pub(in crate::http) fn in_format(
    format: RefusalFormat,
    response: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    let problem = response.response().error().and_then(|error| error.as_error::<HttpProblem>()).cloned();
    let Some(problem) = problem else { return response };
    if problem.kind == ProblemKind::Internal {
        // The pattern: a path may hold what signs somebody in.
        tracing::error!(
            path = response.request().match_pattern(),
            why = problem.detail,
            "a request met a fault"
        );
    }
    let answer = problem.answer_as(format, response.request());
    response.into_response(answer)
}
