//! One page of a fan-out: the webhooks that it reaches, and where the next one begins.

use std::collections::HashSet;

use knockback::{
    Context,
    domain::{ANY, Event},
    queues::RouteCursor,
    store::{Route, StoreError},
};

/// Webhooks that want an event, by their routes.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) routes: Vec<Route>,
    /// Behind which the next webhook that wants the event comes, if one does.
    pub(crate) next: Option<RouteCursor>,
}

/// Reads the page that comes behind `cursor`. Routes that do not match do not count.
pub(crate) async fn read_page(
    context: &Context,
    event: &Event,
    cursor: Option<RouteCursor>,
) -> Result<Page, StoreError> {
    let (mut page, mut found) = (Page::default(), HashSet::new());
    let mut last = cursor;
    let most = context.config.pages.webhooks;
    // Where all match, one more than a page has shows whether there is a next one.
    let read = most + 1;
    for object in [event.object.as_str(), ANY] {
        let mut after = match &last {
            Some(last) if last.object == object => Some(last.webhook),
            Some(last) if last.object == ANY => continue,
            _ => None,
        };
        loop {
            let (routes, next) = context.store.routes(&event.company, object, after, read).await?;
            for route in routes {
                let at = RouteCursor { object: object.to_owned(), webhook: route.webhook };
                // One that is changing may be found by its new and by its former pattern.
                if route.wants(event, &context.config.objects) && !found.contains(&route.webhook) {
                    if page.routes.len() == most {
                        page.next = last;
                        return Ok(page);
                    }
                    found.insert(route.webhook);
                    page.routes.push(route);
                }
                last = Some(at);
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(page)
}
