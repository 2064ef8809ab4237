//! `/booking/directory`: only for services that keep their directory in the booking store.

use std::collections::BTreeSet;
use std::sync::Arc;

use booking_core::{DirectoryAdmin, InvalidId, Role, UserId};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use crate::api::Chapter;
use crate::auth::{ManageDirectory, SignedIn};
use crate::body::Body;
use crate::dto::{UserDto, UserPutDto};
use crate::problem::{Code, FieldError, Problem};

pub(crate) struct DirectoryApi(pub(crate) Arc<dyn DirectoryAdmin>);

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
        _caller: SignedIn<ManageDirectory>,
        /// The user, as the identity provider names them.
        id: Path<String>,
        body: Body<UserPutDto>,
    ) -> Result<Json<UserDto>, Problem> {
        let invalid = |error: InvalidId| FieldError::at("id", error.to_string());
        let id = UserId::new(id.0).map_err(|error| Problem::invalid(vec![invalid(error)]))?;
        let user = body.0.into_user(id);
        self.0.put_user(&user).await?;
        Ok(Json(user.into()))
    }

    /// Read a user
    ///
    /// For admins.
    #[oai(path = "/booking/directory/users/:id", method = "get", operation_id = "getUser")]
    async fn user(
        &self,
        _caller: SignedIn<ManageDirectory>,
        /// The user.
        id: Path<String>,
    ) -> Result<Json<UserDto>, Problem> {
        let user = self.0.user(&user_id(&id)?).await?;
        Ok(Json(user.ok_or_else(no_such_user)?.into()))
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
        _caller: SignedIn<ManageDirectory>,
        /// The client.
        #[oai(name = "clientId")]
        client_id: Path<String>,
        /// The therapist.
        #[oai(name = "therapistId")]
        therapist_id: Path<String>,
    ) -> Result<Done, Problem> {
        let (client, therapist) = (user_id(&client_id)?, user_id(&therapist_id)?);
        let users = self.0.users(&BTreeSet::from([client.clone(), therapist.clone()])).await?;
        if client == therapist {
            let error = FieldError::at("therapistId", "is the client");
            return Err(Problem::invalid(vec![error]));
        }
        // Any user may be somebody's client: a therapist too.
        users.get(&client).ok_or_else(no_such_user)?;
        if users.get(&therapist).ok_or_else(no_such_user)?.role != Role::Therapist {
            let error = FieldError::at("therapistId", "is not a therapist");
            return Err(Problem::invalid(vec![error]));
        }
        self.0.relate(&client, &therapist).await?;
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
        _caller: SignedIn<ManageDirectory>,
        /// The client.
        #[oai(name = "clientId")]
        client_id: Path<String>,
        /// The therapist.
        #[oai(name = "therapistId")]
        therapist_id: Path<String>,
    ) -> Result<Done, Problem> {
        self.0.unrelate(&user_id(&client_id)?, &user_id(&therapist_id)?).await?;
        Ok(Done::NoContent)
    }
}

fn no_such_user() -> Problem {
    Problem::new(Code::UserNotFound, "the directory has no such user")
}

/// A text that is no user id names nobody.
fn user_id(text: &str) -> Result<UserId, Problem> {
    UserId::new(text).map_err(|_| no_such_user())
}
