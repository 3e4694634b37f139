use std::time::Duration;

use super::{Reconciler, Shutdown, calls::stopped_too_soon};
use crate::{
    closte::{CertificateRequest, ClosteError},
    events::{Event, EventBatch},
    reconciler::CycleError,
    state::{Asked, LedgerId, MissingCertificate},
};

/// Closte is asked about one name at most this often.
const PAUSE: Duration = Duration::from_secs(60 * 60);
/// The most names that it is asked about in one cycle: we are guests there.
const MOST: u32 = 20;
/// How long a call that Closte does not know is not tried again.
const ABSENT_LASTS: Duration = Duration::from_secs(24 * 60 * 60);

impl Reconciler {
    /// Asks Closte again for the certificates that should have been there by now, as the checks saw
    /// it. What Closte says to that breaks no cycle; the result is its wish to be left alone.
    pub(super) async fn request_certificates(
        &self,
        stop: &Shutdown,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Option<ClosteError>, CycleError> {
        let (Some(patience), Some(ledger)) =
            (self.rules.request_certificate_after, self.ledger.as_ref().map(|known| known.id))
        else {
            return Ok(None);
        };
        let now = self.clock.now();
        let sites_without_record =
            self.state.lacking_certificates(ledger, patience, PAUSE, MOST, now).await?;
        if sites_without_record.is_empty() {
            return Ok(None);
        }
        let mut absent = self.state.absent_calls(ABSENT_LASTS, now).await?;
        for one in sites_without_record {
            let known: Vec<&str> = absent.iter().map(String::as_str).collect();
            if stop.draining().is_cancelled() {
                return Err(CycleError::Stopped);
            }
            let asking = self.closte.request_certificate(&one.name, &known);
            let request = stop.until_too_late(asking).await.unwrap_or_else(|| CertificateRequest {
                absent: Vec::new(),
                answer: Err(stopped_too_soon()),
            });
            absent.extend(request.absent.iter().map(|path| (*path).to_owned()));
            if request.answer == Ok(None) && request.absent.is_empty() {
                // There is no call left to ask by. That was told when it was found out.
                return Ok(None);
            }
            self.note_request(ledger, &one, &request).await?;
            progress(0, 0);
            match request.answer {
                Err(limited @ ClosteError::RateLimited { .. }) => return Ok(Some(limited)),
                Err(ClosteError::Unreachable { .. }) => break,
                _ => {}
            }
        }
        Ok(None)
    }

    async fn note_request(
        &self,
        ledger: LedgerId,
        one: &MissingCertificate,
        request: &CertificateRequest,
    ) -> Result<(), CycleError> {
        let (domain, blog_id) = (one.name.clone(), one.blog_id);
        let (answer, event) = match &request.answer {
            Ok(Some(answer)) => {
                let event = Event::CertificateRequested { domain, blog_id, answer: answer.clone() };
                (answer.clone(), event)
            }
            Ok(None) => {
                let error = "Closte knows no call for it; it is tried again in a day".to_owned();
                let event =
                    Event::CertificateRequestFailed { domain, blog_id, error: error.clone() };
                (error, event)
            }
            Err(error) => {
                let error = error.to_string();
                let event =
                    Event::CertificateRequestFailed { domain, blog_id, error: error.clone() };
                (error, event)
            }
        };
        let asked = Asked {
            name: &one.name,
            answer: &answer,
            absent: &request.absent,
            absent_lasts: ABSENT_LASTS,
        };
        let batch = EventBatch::of([event]);
        Ok(self.state.certificate_requested(ledger, asked, &batch, self.clock.now()).await?)
    }
}
