//! `/api/v1/deliveries`: which webhooks there are, and what may be done about one or many.

pub(in crate::http) mod actions;
pub(in crate::http) mod list;
mod view;

use actix_web::web::to;

use crate::http::access::ApiScope;
use crate::http::routes::{Route, RouteAccess, Takes};

pub(super) use actions::refused_again;
pub(super) use view::{DeliveryStoryView, DeliveryView};

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    let (read, act) = (RouteAccess::Api(ApiScope::Read), RouteAccess::Api(ApiScope::Actions));
    vec![
        Route::get("/api/v1/deliveries", read, || to(list::list)),
        Route::post("/api/v1/deliveries/retry", act, || to(actions::retry_many)).takes(Takes::Json),
        Route::post("/api/v1/deliveries/cancel", act, || to(actions::cancel_many)).takes(Takes::Json),
        Route::get("/api/v1/deliveries/{mail}/{target}", read, || to(list::one)),
        Route::post("/api/v1/deliveries/{mail}/{target}/retry", act, || to(actions::retry)),
        Route::post("/api/v1/deliveries/{mail}/{target}/cancel", act, || to(actions::cancel)),
        Route::post("/api/v1/deliveries/{mail}/{target}/again", act, || to(actions::again)),
    ]
}
