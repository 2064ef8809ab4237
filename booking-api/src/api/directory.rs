//! `/booking/directory`: only for services that keep their directory in the booking store.

use booking_core::{InvalidId, Refusal, UserDirectory, UserId};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use crate::api::Chapter;
use crate::auth::{ManageDirectory, SignedIn};
use crate::body::Body;
use crate::dto::{UserDto, UserPutDto};
use crate::problem::{FieldError, Problem};

pub(crate) struct DirectoryApi(pub(crate) UserDirectory);

#[derive(ApiResponse)]
enum Done {
    /// It is so.
    #[oai(status = 204)]
    NoContent,
}

#[OpenApi(tag = "Chapter::Directory")]
impl DirectoryApi {
    /// Add or replace a user
    ///
    /// For admins.
    #[oai(path = "/booking/directory/users/:id", method = "put", operation_id = "putUser")]
    async fn put_user(
        &self,
        caller: SignedIn<ManageDirectory>,
        /// The user, as the identity provider names them.
        id: Path<String>,
        body: Body<UserPutDto>,
    ) -> Result<Json<UserDto>, Problem> {
        let invalid = |error: InvalidId| FieldError::at("id", error.to_string());
        let id = UserId::new(id.0).map_err(|error| Problem::invalid(vec![invalid(error)]))?;
        let user = body.0.into_user(id);
        self.0.put_user(&caller.actor, &user).await?;
        Ok(Json(user.into()))
    }

    /// Read a user
    ///
    /// For admins.
    #[oai(path = "/booking/directory/users/:id", method = "get", operation_id = "getUser")]
    async fn user(
        &self,
        caller: SignedIn<ManageDirectory>,
        /// The user.
        id: Path<String>,
    ) -> Result<Json<UserDto>, Problem> {
        Ok(Json(self.0.user(&caller.actor, &user_id(&id)?).await?.into()))
    }

    /// Make somebody a client of a therapist
    ///
    /// For admins.
    #[oai(
        path = "/booking/directory/relationships/:clientId/:therapistId",
        method = "put",
        operation_id = "putRelationship"
    )]
    async fn relate(
        &self,
        caller: SignedIn<ManageDirectory>,
        /// The client.
        #[oai(name = "clientId")]
        client_id: Path<String>,
        /// The therapist.
        #[oai(name = "therapistId")]
        therapist_id: Path<String>,
    ) -> Result<Done, Problem> {
        let (client, therapist) = (user_id(&client_id)?, user_id(&therapist_id)?);
        self.0.relate(&caller.actor, &client, &therapist).await?;
        Ok(Done::NoContent)
    }

    /// End a relationship
    ///
    /// For admins. Booked meetings stay.
    #[oai(
        path = "/booking/directory/relationships/:clientId/:therapistId",
        method = "delete",
        operation_id = "deleteRelationship"
    )]
    async fn unrelate(
        &self,
        caller: SignedIn<ManageDirectory>,
        /// The client.
        #[oai(name = "clientId")]
        client_id: Path<String>,
        /// The therapist.
        #[oai(name = "therapistId")]
        therapist_id: Path<String>,
    ) -> Result<Done, Problem> {
        let (client, therapist) = (user_id(&client_id)?, user_id(&therapist_id)?);
        self.0.unrelate(&caller.actor, &client, &therapist).await?;
        Ok(Done::NoContent)
    }
}

/// A text that is no user id names nobody.
fn user_id(text: &str) -> Result<UserId, Refusal> {
    UserId::new(text).map_err(|_| Refusal::UserNotFound)
}
