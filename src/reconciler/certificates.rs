use std::time::Duration;

use super::{Reconciler, Shutdown};
use crate::{
    closte::{CertificateRequest, ClosteError},
    events::{Event, EventBatch},
    reconciler::CycleError,
    state::{Asked, LedgerId, MissingCertificate},
};

/// The time between two requests for one name.
const PAUSE: Duration = Duration::from_secs(60 * 60);
/// How many requests one cycle makes.
const MOST: u32 = 20;
/// For how long a call that Closte does not have is not tried again.
const ABSENT_LASTS: Duration = Duration::from_secs(24 * 60 * 60);

impl Reconciler {
    /// Requests the certificates that the checks have missed for too long. A failure does not fail the
    /// cycle; a rate limit is returned.
    pub(super) async fn request_certificates(
        &self,
        stop: &Shutdown,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Option<ClosteError>, CycleError> {
        let (Some(after), Some(ledger)) =
            (self.rules.request_certificate_after, self.ledger.as_ref().map(|known| known.id))
        else {
            return Ok(None);
        };
        if self.mandate.is_none() {
            return Ok(None);
        }
        let now = self.clock.now();
        let missing = self.state.missing_certificates(ledger, after, PAUSE, MOST, now).await?;
        if missing.is_empty() {
            return Ok(None);
        }
        let mut absent = self.state.absent_calls(ABSENT_LASTS, now).await?;
        for one in missing {
            let known: Vec<&str> = absent.iter().map(String::as_str).collect();
            if stop.draining().is_cancelled() {
                return Err(CycleError::Stopped);
            }
            if !self.may_act().await {
                return Ok(None);
            }
            let asking = self.closte.request_certificate(&one.name, &known);
            let request = stop.until_too_late(asking).await.unwrap_or_else(|| CertificateRequest {
                absent: Vec::new(),
                answer: Err(ClosteError::OutcomeUnknown),
            });
            absent.extend(request.absent.iter().map(|path| (*path).to_owned()));
            if request.answer == Ok(None) && request.absent.is_empty() {
                // No call is left. That was reported when it was found out.
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
        let answer = match &request.answer {
            Ok(Some(answer)) => answer.clone(),
            Ok(None) => "Closte has no call for it; it is tried again in a day".to_owned(),
            Err(error) => error.to_string(),
        };
        let event = match &request.answer {
            Ok(Some(_)) => Event::CertificateRequested { domain, blog_id, answer: answer.clone() },
            _ => Event::CertificateRequestFailed { domain, blog_id, error: answer.clone() },
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
