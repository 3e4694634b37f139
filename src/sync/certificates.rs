use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Sync, unless_stopped};
use crate::{
    closte::{CertificateRequest, ClosteError},
    event::Event,
    state::{Lacking, LedgerId},
    sync::CycleError,
};

/// Closte is asked about one name at most this often.
const PAUSE: Duration = Duration::from_secs(60 * 60);
/// The most names that it is asked about in one cycle: we are guests there.
const MOST: u32 = 20;
/// How long a call that Closte does not know is not tried again.
const ABSENT_LASTS: Duration = Duration::from_secs(24 * 60 * 60);

impl Sync {
    /// Asks Closte again for the certificates that should have been there by now, as the checks saw
    /// it. What Closte says to that breaks no cycle.
    pub(super) async fn request_certificates(
        &self,
        stop: &CancellationToken,
    ) -> Result<(), CycleError> {
        let (Some(patience), Some(ledger)) =
            (self.rules.request_certificate_after, self.state.current_ledger().await?)
        else {
            return Ok(());
        };
        let now = Timestamp::now();
        let lacking = self.state.lacking_certificates(ledger, patience, PAUSE, MOST, now).await?;
        for one in lacking {
            let request = unless_stopped(stop, self.request_certificate(&one)).await??;
            self.note_request(ledger, &one, &request).await?;
            let failed = matches!(
                request.answer,
                Err(ClosteError::Unreachable { .. } | ClosteError::RateLimited { .. })
            );
            if failed {
                break;
            }
        }
        Ok(())
    }

    async fn request_certificate(&self, one: &Lacking) -> Result<CertificateRequest, CycleError> {
        let now = Timestamp::now();
        let absent = self.state.absent_calls(now).await?;
        let absent: Vec<&str> = absent.iter().map(String::as_str).collect();
        let request = self.closte.request_certificate(&one.name, &absent).await;
        for path in &request.absent {
            self.state.call_is_absent(path, ABSENT_LASTS, now).await?;
        }
        Ok(request)
    }

    async fn note_request(
        &self,
        ledger: LedgerId,
        one: &Lacking,
        request: &CertificateRequest,
    ) -> Result<(), CycleError> {
        let (domain, blog_id) = (one.name.clone(), one.blog_id);
        let (answer, event) = match &request.answer {
            Ok(Some(answer)) => {
                let event = Event::CertificateRequested { domain, blog_id, answer: answer.clone() };
                (answer.clone(), Some(event))
            }
            // Told once, by those who found it out.
            Ok(None) if request.absent.is_empty() => {
                ("Closte knows no call for it".to_owned(), None)
            }
            Ok(None) => {
                let error = "Closte knows no call for it; it is tried again in a day".to_owned();
                let event =
                    Event::CertificateRequestFailed { domain, blog_id, error: error.clone() };
                (error, Some(event))
            }
            Err(error) => {
                let error = error.to_string();
                let event =
                    Event::CertificateRequestFailed { domain, blog_id, error: error.clone() };
                (error, Some(event))
            }
        };
        let now = Timestamp::now();
        let name = &one.name;
        self.state.certificate_requested(ledger, name, &answer, event.as_ref(), now).await?;
        event.iter().for_each(Event::log);
        Ok(())
    }
}
